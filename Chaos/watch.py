"""Records what happens during a run: status a few times a second, logs at the end."""

import datetime
import json
import threading
import time

POLL_SECONDS = 0.3  # one look costs some 30 ms of a core; take-overs are read from logs, to the ms
STOP_SECONDS = 40.0  # one command under way


def seconds_of(iso):
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


class Look:
    """One answer of `status`, or its absence."""

    def __init__(self, at, status):
        self.at, self.status = at, status  # at: when it began, so that nothing is seen too early
        self.settled = False

    @property
    def leader(self):
        return ((self.status or {}).get("leader") or {}).get("node")

    @property
    def owned(self):
        return ((self.status or {}).get("shardMap") or {}).get("owned", 0)

    def is_settled(self, nodes, shares_work):
        """A leader, all shards owned, by incarnations that are alive, and nothing moving."""
        if not self.status or self.status.get("partial") or not self.leader:
            return False
        shard_map = self.status["shardMap"]
        if shard_map["owned"] != shard_map["shards"] or shard_map.get("orphaned") \
                or shard_map.get("moving"):
            return False
        alive = {node.identity for node in nodes if node.works}
        listed = {row["node"]: row for row in self.status.get("nodes", ())}
        if self.leader not in alive:
            return False
        if not shares_work:
            return True  # the leader does all the work, and nobody else is listed reliably
        # By their own heartbeats: a node that is lost may still be listed with what it had.
        rows = [listed.get(name, {}) for name in alive]
        return all(row.get("state") == "ready" for row in rows) \
            and sum(row.get("shards") or 0 for row in rows) == shard_map["shards"]


class Watch(threading.Thread):
    """Looks until it is stopped. `shares_work`: the nodes divide the shards among themselves."""

    def __init__(self, program, nodes):
        super().__init__(name="watch", daemon=True)
        self.program, self.nodes = program, nodes
        self.shares_work = program.shares_work
        self.looks = []
        self.stopping = threading.Event()

    def look(self):
        look = Look(time.time(), self.program.ask("status"))
        # Judged now: which nodes are alive is not known later.
        look.settled = look.is_settled(self.nodes, self.shares_work)
        self.looks.append(look)
        return look

    def run(self):
        while not self.stopping.wait(POLL_SECONDS):
            self.look()

    def is_settled(self, since):
        """The newest look, if it began after `since`, shows a deployment that works."""
        look = self.looks[-1] if self.looks else None
        return bool(look and look.at > since and look.settled)

    def stop(self):
        self.stopping.set()
        self.join(STOP_SECONDS)

    def save(self, path):
        """Every look, a line each: what was known at a moment that somebody asks about later."""
        with open(path, "w", encoding="utf-8") as file:
            for look in self.looks:
                status = look.status or {}
                file.write(json.dumps({
                    "at": look.at, "settled": look.settled, "leader": look.leader,
                    "shardMap": status.get("shardMap"), "health": status.get("health"),
                    "nodes": [(row["node"], row.get("state"), row.get("shards"))
                              for row in status.get("nodes", ())]}) + "\n")

    def leaders(self):
        """[(seconds, node name, term)] as the nodes logged them, in order of time."""
        found = []
        for node in self.nodes:
            for at, event, parts in node.events():
                if event == "elected":
                    found.append((at, node.name, parts.get("token") or parts.get("term", "")))
        return sorted(found)

    def fenced(self):
        """Steps of superseded owners that shards refused: the most that any look saw, for a lossy
        failover takes the count back with the shard."""
        return max((int((look.status or {}).get("fencedWrites") or 0) for look in self.looks),
                   default=0)
