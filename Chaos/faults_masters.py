"""Faults of Redis masters: death, lies and moves."""

import signal
import time

from faults import Fault
from processes import Trouble, until
from servers import HOST, TAKEOVER_SECONDS
from wire import Refused, key_in

READY_SECONDS = 60.0  # a full synchronisation of a small data set, on a busy machine
PROBES = 20
MIGRATE_SECONDS = 60.0
MIGRATED_KEYS = 50  # of one MIGRATE
MIGRATE_MS = 5000


class _MasterFault(Fault):
    """One master is hit; its replica takes over; the old one comes back as a replica."""

    spares_source = False
    wants_source = False

    def choose(self):
        masters = self.cluster.masters()
        source = self.cluster.master_of(self.stage.source_slot)
        if self.wants_source:
            masters = [source]
        elif self.spares_source:
            masters.remove(source)
        self.master = self.random.choice(masters)
        self.replica = self.cluster.replica_of(self.master)
        if self.replica is None:
            raise Trouble("master %d has no replica" % self.master)
        self.first, self.last = self.cluster.roles()[self.master][2][0]
        self.target = "server %d%s" % (
            self.master, " (the source's)" if self.master == source else "")

    @property
    def node(self):
        return self.cluster.nodes[self.master]

    @property
    def other(self):
        return self.cluster.nodes[self.replica]

    def probes(self):
        """Keys of the master's slots that mean nothing to the coordinator."""
        tag = key_in(self.first, self.last, "probe")
        return ["K:CHAOS::{%s}%d::" % (tag, number) for number in range(PROBES)]

    def is_current(self):
        info = self.cluster.ask(self.node, "INFO", "replication").decode()
        return "state=online" in info and "lag=0" in info

    def rejoin(self):
        """Only after the takeover: without persistence it comes back empty."""
        self.cluster.wait_for_takeover(self.replica)
        if not self.cluster.answers(self.node):
            self.cluster.restart(self.master)
        self.cluster.wait_ready(READY_SECONDS)


class KillMaster(_MasterFault):
    name = "master-kill"
    line = "SIGKILL a master whose replica is current; the replica takes over"
    hold = (0.0, 1.0)

    def inject(self):
        self.choose()
        until(self.is_current, READY_SECONDS, "the replica is current")
        code = self.cluster.kill_server(self.master)
        self.effect = "server %d ended with %d" % (self.master, code)

    def heal(self):
        begun = time.monotonic()
        self.rejoin()
        self.effect += ", server %d took over; whole again after %.1f s" % (
            self.replica, time.monotonic() - begun)


class KillMasterLossy(_MasterFault):
    name = "master-kill-lossy"
    line = "a master loses its replica, acknowledges on, dies; the stale replica takes over"
    hold = (1.0, 3.0)
    spares_source = True

    def inject(self):
        self.choose()
        # Cut: the master knows it is alone. Stalled: it believes in a replica that hears nothing.
        self.mode = self.random.choice(("reset", "stall"))
        self.cluster.proxies.set([self.master], self.mode, ("replica",))
        for key in self.probes():
            self.cluster.ask(self.node, "SET", key, "acknowledged")

    def heal(self):
        # Acknowledged writes went on for the time held. Now they go with their only copy.
        for key in self.probes():
            self.cluster.ask(self.node, "SET", key, "acknowledged later")
        self.cluster.kill_server(self.master)
        # It need not be asked where the other masters have voted already.
        until(self.take_over, TAKEOVER_SECONDS, "server %d took over" % self.replica)
        self.cluster.proxies.set([self.master], "pass", ("replica",))
        lost = sum(self.cluster.ask(self.other, "GET", key) is None for key in self.probes())
        if lost:
            self.effect = "%s: %d of %d acknowledged writes lost" % (self.mode, lost, PROBES)
        self.rejoin()

    def take_over(self):
        if self.cluster.is_master(self.replica):
            return True
        try:
            self.cluster.ask(self.other, "CLUSTER", "FAILOVER", "TAKEOVER")
        except (Refused, OSError):
            pass  # "only to a replica": the election was faster; asked again, or seen above
        return False


class SourceLoss(KillMasterLossy):
    name = "source-loss"
    line = "the same for the source's own master: figures are held to a bound, see the README"
    spares_source = False
    wants_source = True
    loses_source = True
    by_default = False


class PauseMaster(_MasterFault):
    name = "master-pause"
    line = "a master sleeps through its replica's takeover, wakes and acknowledges for a moment"
    hold = (0.0, 2.0)

    def inject(self):
        self.choose()
        self.wire = self.cluster.wire(self.node)
        self.wire.call("PING")
        self.cluster.signal(self.master, signal.SIGSTOP)
        self.cluster.wait_for_takeover(self.replica)

    def heal(self):
        keys = self.probes()
        # Into its socket while it sleeps: read and answered before it hears from the others.
        for key in keys:
            self.wire.send("SET", key, "from the past")
        self.cluster.signal(self.master, signal.SIGCONT)
        acknowledged = 0
        for _ in keys:
            try:
                acknowledged += self.wire.receive() == b"OK"
            except Refused:
                pass
        self.wire.close()
        self.rejoin()
        kept = sum(self.cluster.ask(self.other, "GET", key) is not None for key in keys)
        self.effect = "woke a stranger: %d of %d writes acknowledged, %d of them kept" % (
            acknowledged, PROBES, kept)


class PauseSourceMaster(PauseMaster):
    # Of its own: a reader that believed entries of the sleeper, and a confirmation of its successor,
    # once counted what vanished and passed over what was there.
    name = "source-pause"
    line = "the same for the master that the page views are read from"
    wants_source = True


class ManualFailover(_MasterFault):
    name = "manual-failover"
    line = "CLUSTER FAILOVER: master and replica change places without loss"
    hold = (0.0, 1.0)

    def inject(self):
        self.choose()
        self.cluster.ask(self.other, "CLUSTER", "FAILOVER")
        self.cluster.wait_for_takeover(self.replica)
        self.effect = "server %d leads its slots" % self.replica

    def heal(self):
        self.rejoin()


class MigrateSlots(Fault):
    name = "migrate-slots"
    line = "some slots with shards move to another master, key by key, and back"
    hold = (0.5, 2.0)
    SLOTS = 4

    def inject(self):
        masters = self.cluster.masters()
        self.source, self.destination = self.random.sample(masters, 2)
        ranges = self.cluster.roles()[self.source][2]
        own = [slot for slot in self.stage.slots_of_shards() + [self.stage.source_slot]
               if any(first <= slot <= last for first, last in ranges)]
        self.slots = self.random.sample(own, min(self.SLOTS, len(own)))
        self.target = "server %d to %d, slots %s" % (
            self.source, self.destination, ",".join(str(slot) for slot in self.slots))
        moved = sum(self.move(slot, self.source, self.destination) for slot in self.slots)
        self.effect = "%d keys moved" % moved

    def heal(self):
        moved = sum(self.move(slot, self.destination, self.source) for slot in self.slots)
        self.effect += ", %d moved back" % moved
        self.cluster.wait_ready(READY_SECONDS)

    def move(self, slot, here, there):
        """As `redis-cli --cluster reshard` does it: open on both sides, keys, close."""
        giver, taker = self.cluster.nodes[here], self.cluster.nodes[there]
        giving, taking = self.cluster.wire(giver, MIGRATE_SECONDS), self.cluster.wire(taker)
        taking.call("CLUSTER", "SETSLOT", slot, "IMPORTING", giver["id"])
        giving.call("CLUSTER", "SETSLOT", slot, "MIGRATING", taker["id"])
        moved, deadline = 0, time.monotonic() + MIGRATE_SECONDS
        while True:
            keys = giving.call("CLUSTER", "GETKEYSINSLOT", slot, MIGRATED_KEYS)
            if not keys:
                break
            if time.monotonic() > deadline:
                raise Trouble("slot %d was not empty after %g s" % (slot, MIGRATE_SECONDS))
            # A key may be gone when it is its turn (NOKEY): it had expired.
            giving.call("MIGRATE", HOST, taker["port"], "", 0, MIGRATE_MS, "KEYS", *keys)
            moved += len(keys)
        # The taker first: were it last, the giver would send clients to one that refuses them.
        taking.call("CLUSTER", "SETSLOT", slot, "NODE", taker["id"])
        giving.call("CLUSTER", "SETSLOT", slot, "NODE", taker["id"])
        giving.close()
        taking.close()
        return moved


