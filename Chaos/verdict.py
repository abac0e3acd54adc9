"""Judges a run when everything is healed: by counts that share no code with the coordinator."""

import json
import os
import time

from load import SOURCE
from local_cluster import choose_ports, stack_folder
from processes import until
from servers import HOST
from stage import (COARSEST_MS, GRACE_MS, OUTAGE_ALLOWANCE, SETTLE_SECONDS, SITES, TIERS, Stuck)
from truth_of_source import compare, count, read_source, scratch_server, span, tier_name

# Behind the last event: its coarsest window must close, and then be merged.
WAIT_SECONDS = COARSEST_MS / 1000 + GRACE_MS / 1000 + SETTLE_SECONDS
# A shard whose master's clock was ahead has sealed up to there; until the clocks have caught up an
# audit says so, and rightly. No jump is longer than a minute.
CATCH_UP_SECONDS = 75.0
# Upper bounds of keys, from the convention: each window of an entity is one HyperLogLog; page views
# are a sorted set for each (window, dimension, shard), at most as many again; each entity has a
# document and five series, each shard some keys of its own. More is a leak.
KEYS_A_WINDOW, KEYS_AN_ENTITY, KEYS_A_SHARD, SHARDS = 2, 8, 32, 64
SHOWN = 5  # violations in one line of the report
# The tier whose page views have a series: the first above the base.
FIRST_LENGTH = span(TIERS.split(",")[1].split("/")[0])


class Verdict:
    """Findings, and figures for the report."""

    def __init__(self):
        self.bad = []  # what is wrong with the coordinator
        self.notes = []  # (title, text, whether it is good)

    def check(self, is_good, title, text):
        self.notes.append((title, text, is_good))
        if not is_good:
            self.bad.append("%s: %s" % (title, text))

    def headline(self):
        """What the figures say, in one line."""
        return "; ".join(text.split("; digest")[0] for title, text, _ in self.notes
                         if title.startswith("figures"))

    @property
    def is_good(self):
        return not self.bad


class Judge:
    """Stops the load, heals, waits, counts."""

    def __init__(self, stage, faults):
        self.stage, self.program = stage, stage.program
        self.verdict = Verdict()
        self.loses_source = any(fault.loses_source for fault in faults)

    def judge(self):
        stage = self.stage
        stage.load.stop()
        stage.heal_all()
        stage.cluster.wait_ready(SETTLE_SECONDS)
        try:
            stage.wait_settled(time.time())
        except Stuck as stuck:
            self.verdict.check(False, "recovery", str(stuck))
        self.entries = self.read_entries()
        self.until = self.last_window()
        self.wait_until_done()
        self.figures, self.names, self.ledger = count(
            self.entries, TIERS, OUTAGE_ALLOWANCE, SITES)
        self.load_outcomes()
        self.compare_export()
        self.compare_series()
        self.audit()
        self.count_keys()
        self.terms()
        stage.watch.stop()
        self.end_nodes()
        return self.verdict

    def read_entries(self):
        node = self.stage.cluster.nodes[self.stage.cluster.master_of(self.stage.source_slot)]
        wire = self.stage.cluster.wire(node)
        try:
            return read_source(wire, SOURCE)
        finally:
            wire.close()

    def last_window(self):
        """The end of the coarsest window with the last event in it: every tier is whole by then."""
        latest = max([int(event.at * 1000) for event in self.stage.load.sent], default=0)
        return latest // COARSEST_MS * COARSEST_MS + COARSEST_MS

    def sealed(self):
        rows = self.program.ask("shards")
        return rows and all(row["sealedTo"] and all(
            moment and int(moment) >= self.until for moment in row["sealedTo"].values())
            for row in rows)

    def wait_until_done(self):
        begun, late = time.monotonic(), None
        while not self.sealed():
            if time.monotonic() - begun > WAIT_SECONDS:
                late = "after %g s some shard has not sealed all up to %d" % (
                    WAIT_SECONDS, self.until)
                break
            time.sleep(0.5)
        self.wait_for_clock()
        result = self.program.run("wait", "--timeout", "%ds" % SETTLE_SECONDS,
                                  seconds=SETTLE_SECONDS + 10)
        text = late or (result.stderr.strip()[-300:] if result.returncode else
                        "every window up to the last event's is done")
        self.verdict.check(not late and result.returncode == 0, "progress", text)

    def wait_for_clock(self):
        rows = self.program.ask("shards") or ()
        furthest = max([int(moment) for row in rows for moment in row["sealedTo"].values()
                        if moment], default=0) / 1000
        until(lambda: time.time() > furthest, CATCH_UP_SECONDS,
              "the clock passed what a jumping clock had sealed")

    def terms(self):
        """Terms never repeat and only rise, whatever was lost in between."""
        leaders = self.stage.watch.leaders()
        falls = ["%s %s after %s %s" % (later[1:] + before[1:])
                 for before, later in zip(leaders, leaders[1:]) if later[2] <= before[2]]
        self.verdict.check(not falls, "terms", "; ".join(falls[:SHOWN]) or
                           "%d elections, each with a greater term" % len(leaders))

    def load_outcomes(self):
        """What became of every event, by the number it carries."""
        present, twice = {}, 0
        for entry, parts in self.entries:
            number = parts.get(b"n")
            twice += number in present
            present[number] = entry
        outcomes, lost, settled = {}, 0, 0
        for event in self.stage.load.sent:
            outcomes[event.outcome] = outcomes.get(event.outcome, 0) + 1
            there = present.get(b"%d" % event.number)
            lost += event.outcome == "acknowledged" and there != event.entry
            settled += event.outcome == "unknown" and there is not None
        text = "%d entries; %s; of the unknown %d are there; %d acknowledged and lost by Redis" % (
            len(self.entries), ", ".join("%d %s" % (n, o) for o, n in sorted(
                (str(o), n) for o, n in outcomes.items())), settled, lost)
        self.verdict.check(self.stage.load.failure is None and not twice, "load",
                           text + ("; %s" % self.stage.load.failure if self.stage.load.failure
                                   else "") + ("; %d twice" % twice if twice else ""))
        self.verdict.notes.append(("ledger of the truth", self.ledger, True))

    def titled(self, title):
        """Where the source itself lost entries, some checks can only say what they see."""
        return title + " (seen, not judged)" if self.loses_source else title

    def export(self):
        path = os.path.join(self.stage.folder, "export.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            result = self.program.run("export", "-o", "ndjson", seconds=300, output=file)
        if result.returncode:
            self.verdict.check(False, "export", result.stderr.strip()[-300:])
        return path

    def compare_export(self):
        path = self.export()
        if self.loses_source:
            self.compare_bound(path)
            return
        stack = stack_folder()
        port = choose_ports(HOST, 1, 0, False)[0]
        log = os.path.join(self.stage.folder, "scratch.log")
        with scratch_server(self.stage.processes, stack, port, log) as scratch:
            agrees, text = compare(path, self.entries, TIERS, OUTAGE_ALLOWANCE, SITES, self.until,
                                   scratch)
        self.verdict.check(agrees, "figures", text.replace("\n", "; "))

    def compare_bound(self, path):
        """Between the count of what is left of the source and that with all acknowledged losses."""
        there = {entry for entry, _ in self.entries}
        # An unknown one that is not there may have been there, and counted, before it was lost.
        numbers = {parts.get(b"n") for _, parts in self.entries}
        lost = sum(event.entry not in there if event.outcome == "acknowledged"
                   else event.outcome == "unknown" and b"%d" % event.number not in numbers
                   for event in self.stage.load.sent)
        exported, outside, above = {}, 0, 0
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                key = (row["tier"], row["dimension"], row["id"], int(row["window"]))
                exported[key] = int(row["pageviews"])
        for key in set(exported) | set(self.figures):
            extra = exported.get(key, 0) - self.figures.get(key, 0)
            if extra < 0:
                outside += 1  # an entry that is there was not counted
            elif key[0] == "1SECOND" and key[1] == "W":
                above += extra
        self.verdict.check(
            outside == 0 and above <= lost, "figures (bound)",
            "%d windows below the count of the source; %d page views above it, %d entries were "
            "acknowledged, or perhaps, and lost by Redis" % (outside, above, lost))

    def compare_series(self):
        """A rotation that ran twice would add its sample twice: the sum is kept on duplicates."""
        wrong, samples = [], 0
        tier = tier_name(FIRST_LENGTH)
        sites = {identity: name for (dimension, identity), name in self.names.items()
                 if dimension == "W"}
        for identity, name in sorted(sites.items()):
            wanted = {key[3]: views for key, views in self.figures.items()
                      if key[:3] == (tier, "W", identity) and key[3] + FIRST_LENGTH <= self.until}
            if not wanted:
                continue
            rows = self.program.ask("series", "--website", name, "--tier", tier, "--metric", "PG",
                                    "--from", str(min(wanted)), "--to", str(max(wanted) + 1))
            if rows is None:
                self.verdict.check(False, "series", "`coordinator series` failed for %s" % name)
                return
            found = samples_of(rows)
            samples += len(found)
            wrong += ["%s %d: %d, series %s" % (name, start, views, found.get(start))
                      for start, views in sorted(wanted.items()) if found.get(start) != views]
        text = "%d samples, %d differ" % (samples, len(wrong))
        self.verdict.check(not wrong or self.loses_source, self.titled("series"),
                           "; ".join([text] + wrong[:SHOWN]))

    def audit(self):
        result = self.program.run("audit", "-o", "json", seconds=120)
        try:
            answer = json.loads(result.stdout)
        except ValueError:
            answer = {}
        found = answer.get("violations", [])
        self.verdict.check(
            result.returncode == 0 or (self.loses_source and bool(answer)), self.titled("audit"),
            "exit %d, %s windows, %d violations%s" % (
                result.returncode, answer.get("windows"), len(found),
                ": " + json.dumps(found[:SHOWN]) if found else ""))

    def count_keys(self):
        cluster, total = self.stage.cluster, 0
        for index in cluster.masters():
            total += cluster.ask(cluster.nodes[index], "DBSIZE")
        bound = KEYS_A_WINDOW * len(self.figures) + KEYS_AN_ENTITY * len(self.names) \
            + KEYS_A_SHARD * SHARDS
        self.verdict.check(total <= bound, "keys", "%d, bound %d" % (total, bound))

    def end_nodes(self):
        nodes, codes = self.stage.nodes, []
        self.stage.check_processes()
        for node in nodes:
            node.ask_to_end()
        for node in nodes:
            codes.append(node.wait_for_end())
        self.verdict.check(all(code == 0 for code in codes), "end",
                           "exit codes after SIGTERM: %s" % codes)
        ends = ["%s with %s" % (name, code) for _, name, code in self.stage.unwanted_ends]
        graceful = ["%s at a SIGTERM with %s" % (node.name, code) for node in nodes
                    for _, code, expected in node.ends if not expected]
        self.verdict.check(not ends and not graceful, "processes",
                           "; ".join(ends + graceful) or "none ended by itself")


def samples_of(rows):
    """{start: value} of `series -o json`, whatever the rows are called."""
    found = {}
    for row in rows if isinstance(rows, list) else rows.get("points", rows.get("samples", ())):
        start = next((row[name] for name in ("window", "at", "time", "from") if name in row), None)
        value = next((row[name] for name in ("value", "pageviews") if name in row), None)
        if start is not None and value is not None:
            found[int(start)] = int(value)
    return found


