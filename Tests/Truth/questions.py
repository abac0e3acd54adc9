#!/usr/bin/env python3
"""Judges answers of the coordinator by an exact count of the same events.

    questions.py ANSWERS FILE…    ANSWERS: a line of JSON for each question,
                                  {"words": ["top", "pages", …], "answer": what `-o json` gave}

Every page view and play in an answer has to be exact, every figure of devices has to be what
PFCOUNT gives of the same devices (--pfcount HOST:PORT, a scratch Redis server), and its distance
from the exact number is told. Options as of truth.py. Python's standard library only.
"""

import argparse
import bisect
import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

sys.dont_write_bytecode = True  # the checkout stays clean

from events import ORIGINAL_SITES, Reader, sha1
from truth import Scratch, ladder, span

DAY = 86_400_000
LETTERS = {"pages": "P", "sections": "S", "websites": "W"}
AT_ONCE = 400
STANDARD_ERROR = 0.0081


def moment(text):
    """Milliseconds of an ISO-8601 time in UTC."""
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((time - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(milliseconds=1))


def midnight(zone, time, days):
    """The start of the day in a zone that a moment lies in, or of a later or earlier one."""
    local = datetime.fromtimestamp(time / 1000, ZoneInfo(zone))
    start = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone))
    # Days are added on the clock: some have 23 or 25 hours.
    return round((start + timedelta(days=days)).timestamp() * 1000)


class Judge:
    def __init__(self, options):
        reader = Reader(options, max(keep for _, _, keep in options.tiers)
                        + options.outage_allowance)
        events = [event for path in options.files for event in reader.events(path)]
        self.events = sorted(events, key=lambda event: event[0])
        self.moments = [event[0] for event in self.events]
        self.tiers = {name: length for name, length, _ in options.tiers}
        self.keeps = {name: keep for name, _, keep in options.tiers}
        self.scratch = Scratch(options.pfcount)
        self.known = {}
        self.names = {}
        for _, _, places in events:
            for dimension, (identity, name) in places.items():
                self.names[(dimension, identity)] = name
        self.figures, self.outside, self.worst = 0, 0, 0.0
        self.wrong = []

    def between(self, start, end):
        return self.events[bisect.bisect_left(self.moments, start):
                           bisect.bisect_left(self.moments, end)]

    def count(self, start, end, dimension, admits=lambda places: True):
        """{id: [views, devices]} of one dimension."""
        found = {}
        for _, device, places in self.between(start, end):
            if dimension in places and admits(places):
                figures = found.setdefault(places[dimension][0], [0, set()])
                figures[0] += 1
                if device is not None:
                    figures[1].add(device)
        return found

    def estimates(self, sets):
        """What PFCOUNT says of each; the same sets are asked for once."""
        keys = [frozenset(devices) for devices in sets]
        new = [key for key in dict.fromkeys(keys) if key and key not in self.known]
        for first in range(0, len(new), AT_ONCE):
            some = new[first:first + AT_ONCE]
            found = self.scratch.estimates([[d.encode() for d in key] for key in some])
            self.known.update(zip(some, found))
        return [self.known[key] if key else 0 for key in keys]

    # Comparing

    def expect(self, what, shown, truth):
        if shown != truth:
            self.wrong.append("%s: %r, by the count %r" % (what, shown, truth))

    def devices(self, what, shown, devices, views):
        """A figure of devices: PFCOUNT's, at most the views, and how far that is from exact."""
        estimate = self.estimates([devices])[0]
        self.expect(what + " devices", shown, min(estimate, views))
        self.figures += 1
        if devices:
            error = abs(shown - len(devices)) / len(devices)
            # Of few devices one more or less is no share of a standard error: it is rounding.
            if abs(shown - len(devices)) > max(1, 3 * STANDARD_ERROR * len(devices)):
                self.outside += 1
                self.worst = max(self.worst, error)

    # Questions

    def option(self, words, name, default=None):
        return words[words.index(name) + 1] if name in words else default

    def interval(self, words, answer):
        """Start and end as answered, checked against what was asked for."""
        start, end = moment(answer["from"]), moment(answer["to"])
        last, at = self.option(words, "--last", "30m"), int(self.option(words, "--at"))
        edge = self.tiers[answer.get("edgeTier", answer["tier"])]
        self.expect("an end that is a window's", end % edge, 0)
        self.expect("a start that is a window's", start % self.tiers[answer["tier"]], 0)
        if last in ("today", "yesterday"):
            zone = self.option(words, "--tz", "UTC")
            first = midnight(zone, at, -1 if last == "yesterday" else 0)
            until = midnight(zone, at, 0 if last == "yesterday" else 1)
            finest = list(self.tiers.values())[1]
            until = min(until, at - at % finest)
            self.expect("the day's start", moment(answer["askedFrom"]), first)
            self.expect("the day's end", moment(answer["askedTo"]), until)
            self.expect("a day that is covered", start <= first and until <= end, True)
        else:
            tier = next(name for name, keep in self.keeps.items() if keep >= span(last))
            length = self.tiers[tier]
            until = at - at % length
            self.expect("the end", end, until)
            first = until - span(last)
            self.expect("the start", start, first - first % length)
        self.expect("final", answer["final"], True)
        return start, end

    def filter(self, words):
        website, section = self.option(words, "--website"), self.option(words, "--section")
        if section:
            if not website:
                website, section = section.split("/", 1)
            return lambda places: "S" in places and places["W"][1] == website and (
                places["S"][1] == section or places["S"][1].startswith(section + "/"))
        if website:
            return lambda places: "W" in places and places["W"][1] == website
        return lambda places: True

    def ranked(self, found, by_devices):
        """Ids in their order: most first, equals by views and id."""
        if not by_devices:
            return sorted(found, key=lambda identity: (-found[identity][0], identity))
        shown = dict(zip(found, self.estimates([devices for _, devices in found.values()])))
        return sorted(found, key=lambda identity: (
            -min(shown[identity], found[identity][0]), -found[identity][0], identity))

    def top(self, words, answer):
        start, end = self.interval(words, answer)
        dimension = LETTERS.get(words[1], None) or {"audio": "A", "video": "V",
                                                    "podcast": "PC"}[words[1]]
        admits, by_devices = self.filter(words), self.option(words, "--by") == "devices"
        found = self.count(start, end, dimension, admits)
        order = self.ranked(found, by_devices)[:int(self.option(words, "-n", "20"))]
        self.expect("rows", [row["id"] for row in answer["rows"]], order)
        before = None
        if "compared" in answer:
            compared = answer["compared"]
            self.expect("source", compared["source"], "windows")
            first, until = moment(compared["from"]), moment(compared["to"])
            if self.option(words, "--last") != "yesterday" and "--tz" not in words:
                self.expect("equal length", until - first, end - start)
            earlier = self.count(first, until, dimension, admits)
            places = {identity: place for place, identity in
                      enumerate(self.ranked(earlier, by_devices), 1)}
            before = (earlier, places)
        for place, row in enumerate(answer["rows"], 1):
            views, devices = found.get(row["id"], [0, set()])
            name = "%s %s" % (place, row.get("url") or row.get("name"))
            self.expect(name + " rank", row["rank"], place)
            self.expect(name + " views", row["pageviews"], views)
            self.expect(name + " name", row.get("url", row.get("name")),
                        self.names[(dimension, row["id"])])
            self.devices(name, row["devices"], devices, views)
            if before:
                then, sets = before[0].get(row["id"], [0, set()])
                was = before[1].get(row["id"])
                self.expect(name + " before", row["previousPageviews"], then)
                self.expect(name + " change", row["pageviewsChange"], views - then)
                self.expect(name + " was", row["previousRank"], was)
                self.expect(name + " moved", row["rankChange"], was and was - place)
                if then:
                    self.devices(name + " before", row["previousDevices"], sets, then)

    def wanted(self, words):
        """[(dimension, id)] that a report names."""
        options = list(zip(words, words[1:]))
        websites = [value for name, value in options if name == "--website"]
        sections = [value for name, value in options if name == "--section"]
        found = [("P", sha1(value)) for name, value in options if name == "--page"]
        found += [(letter, sha1(value)) for name, value in options
                  for kind, letter in (("--audio", "A"), ("--video", "V"), ("--podcast", "PC"))
                  if name == kind]
        if sections and len(websites) == 1:
            return found + [("S", sha1(websites[0] + "/" + name)) for name in sections]
        return (found + [("W", sha1(name)) for name in websites]
                + [("S", sha1(name)) for name in sections])

    def report(self, words, answer):
        start, end = self.interval(words, answer)
        wanted = set(self.wanted(words))
        views, devices = 0, set()
        each = {key: [0, set()] for key in wanted}
        for _, device, places in self.between(start, end):
            hit = [(letter, place[0]) for letter, place in places.items()
                   if (letter, place[0]) in wanted]
            for key in hit:
                each[key][0] += 1
                if device is not None:
                    each[key][1].add(device)
            if hit:
                views += 1
                if device is not None:
                    devices.add(device)
        self.expect("views", answer["pageviews"], views)
        self.devices("together", answer["devices"], devices, views)
        records = {(record["dimension"], record["id"]): record for record in answer["records"]}
        self.expect("records", set(records), wanted)
        for key in wanted & set(records):
            record = records[key]
            self.expect("%s views" % record["name"], record["pageviews"], each[key][0])
            self.devices(record["name"], record["devices"], each[key][1], each[key][0])

    def series(self, words, answer):
        start, end = moment(answer["from"]), moment(answer["to"])
        length = self.tiers[answer["tier"]]
        self.expect("the series' tier", answer["tier"], self.option(words, "--tier"))
        (dimension, identity), = self.wanted(words)
        windows = {}
        for time, device, places in self.between(start, end):
            if places.get(dimension, (None,))[0] == identity:
                window = windows.setdefault(time - time % length, [0, set()])
                window[0] += 1
                if device is not None:
                    window[1].add(device)
        points = {int(point["window"]): point["value"] for point in answer["points"]}
        if self.option(words, "--metric", "PG") == "PG":
            self.expect("points", points, {key: views for key, (views, _) in windows.items()})
            return
        # A window without a device may have a sample of none, or no sample.
        self.expect("windows", {key for key, value in points.items() if value},
                    {key for key, (_, devices) in windows.items() if devices})
        for key, (views, devices) in windows.items():
            if devices:
                self.devices("window %d" % key, points.get(key), devices, views)

    def export(self, words, answer):
        tier, dimension = self.option(words, "--tier"), self.option(words, "--dimension")
        length = self.tiers[tier]
        start, end = int(self.option(words, "--from")), int(self.option(words, "--to"))
        windows = {}
        for window in range(start + -start % length, end, length):
            for identity, figures in self.count(window, window + length, dimension).items():
                windows[(identity, window)] = figures
        rows = {(row["id"], int(row["window"])): row for row in answer}
        self.expect("windows", set(rows), set(windows))
        for key in set(rows) & set(windows):
            views, devices = windows[key]
            self.expect("%s views" % (key,), rows[key]["pageviews"], views)
            # An export tells the estimate as it is, also where it is above the views.
            self.devices("%s" % (key,), min(rows[key]["devices"], views), devices, views)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", metavar="ANSWERS")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--tiers", type=ladder, default=ladder("1m,5m/30m,10m/1h,1h/24h,3h/7d"))
    parser.add_argument("--outage-allowance", type=span, default=span("6h"))
    parser.add_argument("--sites", metavar="FILE", help="the deployment's site table")
    parser.add_argument("--pfcount", metavar="HOST:PORT", required=True)
    options = parser.parse_args()
    options.host, options.count, options.device = None, "pages", "agent"
    options.sites = json.load(open(options.sites, encoding="utf-8")) if options.sites \
        else {"hosts": ORIGINAL_SITES}
    judge = Judge(options)
    kinds, failed = {}, 0
    with open(options.answers, encoding="utf-8") as lines:
        for line in lines:
            question = json.loads(line)
            words = question["words"]
            judge.wrong = []
            getattr(judge, words[0])(words, question["answer"])
            kinds[words[0]] = kinds.get(words[0], 0) + 1
            if judge.wrong:
                failed += 1
                if failed <= 5:
                    print(" ".join(words))
                    for sentence in judge.wrong[:5]:
                        print("    " + sentence[:400])
    print("%d questions (%s), %d answered wrongly" % (
        sum(kinds.values()), ", ".join("%d %s" % (kinds[kind], kind) for kind in sorted(kinds)),
        failed))
    print("%d figures of devices equal PFCOUNT; %d further than 3 × 0.81 %% from exact%s" % (
        judge.figures, judge.outside,
        ", %.2f %% at most" % (judge.worst * 100) if judge.outside else ""))
    # By chance alone one in 370 of independent estimates is that far away.
    return 1 if failed or judge.outside > judge.figures / 100 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as problem:
        sys.exit("questions.py: %s" % problem)
