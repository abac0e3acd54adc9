"""Faults of coordinator processes."""

from faults import Fault
from nodes import LEASE_SECONDS
from processes import until


class _NodeFault(Fault):
    """One node is hit and started again."""

    node = None

    def hit(self, node):
        self.node = node
        self.target = node.name


def follower(fault):
    """A working node that does not lead; the leader where there is no other."""
    leader = fault.stage.wait_for_leader()
    others = [node for node in fault.stage.nodes if node.works and node is not leader]
    return fault.random.choice(others) if others else leader


class KillLeader(_NodeFault):
    name = "sigkill-leader"
    line = "SIGKILL the leader; another takes over after the lease"
    hold = (1.5, 4.0)
    hits_leader = True

    def inject(self):
        self.hit(self.stage.wait_for_leader())
        self.node.kill()
        self.effect = "%s ended with %d" % (self.node.name, self.node.ends[-1][1])

    def heal(self):
        self.node.start()


class KillNode(_NodeFault):
    name = "sigkill-node"
    line = "SIGKILL a node that does not lead; its shards move to others"
    hold = (0.5, 5.0)

    def inject(self):
        self.hit(follower(self))
        self.node.kill()
        self.effect = "%s ended with %d" % (self.node.name, self.node.ends[-1][1])

    def heal(self):
        self.node.start()


class KillAll(Fault):
    name = "sigkill-all"
    line = "SIGKILL every node at once; Redis alone remembers"
    hold = (0.2, 3.0)
    hits_leader = True

    def inject(self):
        self.target = "all nodes"
        for node in self.stage.nodes:
            node.kill()
        self.effect = "all %d ended by SIGKILL" % len(self.stage.nodes)

    def heal(self):
        for node in self.stage.nodes:
            node.start()


class PauseLeader(_NodeFault):
    name = "pause-leader"
    line = "SIGSTOP the leader past its lease; it wakes and must not harm its successor"
    hold = (LEASE_SECONDS * 2.5, LEASE_SECONDS * 5)
    hits_leader = True

    def inject(self):
        self.hit(self.stage.wait_for_leader())
        self.node.pause()

    def heal(self):
        if len(self.stage.nodes) > 1:
            leader = until(self.stage.leader, 30.0, "another node leads while the leader is paused")
            self.effect = "%s led before %s woke" % (leader.name, self.node.name)
        else:
            self.effect = "paused for %.1f s" % self.hold_seconds
        self.node.resume()


class PauseOwner(_NodeFault):
    name = "pause-owner"
    line = "SIGSTOP a node that does not lead but owns shards; it wakes and is fenced"
    hold = (LEASE_SECONDS * 3, LEASE_SECONDS * 6)

    def inject(self):
        self.hit(follower(self))
        self.node.pause()

    def heal(self):
        # As others see it: it was given up while it slept.
        status = self.stage.program.ask("status") or {}
        states = {row["node"].split("/")[0]: row["state"] for row in status.get("nodes", ())}
        if states.get(self.node.name) == "lost" or len(self.stage.nodes) == 1:
            self.effect = "%s stopped for %.1f s, and lost" % (self.node.name, self.hold_seconds)
        self.node.resume()


class EndLeader(_NodeFault):
    name = "sigterm-leader"
    line = "SIGTERM the leader: it hands over and exits 0"
    hold = (0.5, 2.0)
    hits_leader = True

    def inject(self):
        self.hit(self.stage.wait_for_leader())
        self.node.ask_to_end()

    def heal(self):
        code = self.node.wait_for_end()
        if code == 0:
            self.effect = "%s ended with 0" % self.node.name
        self.node.start()


class RollingRestart(Fault):
    name = "rolling-restart"
    line = "every node in turn: SIGTERM, exit 0, started again"
    hold = (0.2, 1.0)

    def inject(self):
        self.target = "all nodes"
        codes = []
        for node in self.stage.nodes:
            node.ask_to_end()
            codes.append(node.wait_for_end())
            node.start()
            self.stage.wait_for_leader()
        if all(code == 0 for code in codes):
            self.effect = "exit codes %s" % codes

    def heal(self):
        pass
