"""Faults of the wire, made by the proxy in front of each server."""

from faults import Fault
from servers import SERVERS


class _WireFault(Fault):
    """A mode of the proxy for one or more servers."""

    mode = None
    hold = (1.0, 6.0)
    counter = None  # of the proxy's, that grows when the harm is done
    verb = ""
    more = {}

    def inject(self):
        masters = self.cluster.masters()
        # One, or all: a partition of one master differs from one of the store.
        count = self.random.choice((1, 1, len(masters)))
        self.servers = sorted(self.random.sample(masters, count))
        self.target = "server " + ",".join(str(index) for index in self.servers)
        self.before = self.count(self.cluster.proxies.set(
            self.servers, self.mode, ("client",), seed=self.random.randrange(1 << 30), **self.more))

    def count(self, counters):
        return sum(counters[index][self.counter] for index in self.servers)

    def heal(self):
        grown = self.count(self.cluster.proxies.set(range(SERVERS), "pass")) - self.before
        if grown > 0:
            self.effect = "%d %s" % (grown, self.verb)


class DropReplies(_WireFault):
    name = "drop-replies"
    line = "commands are carried out, replies are lost, connections reset"
    mode, counter, verb = "drop-replies", "droppedReplies", "replies lost after their effect"
    more = {"oneIn": 4}


class ResetConnections(_WireFault):
    name = "reset-connections"
    line = "every connection of clients to a master is cut by RST, new ones too"
    mode, counter, verb = "reset", "reset", "connections cut while it lasted"
    hold = (0.2, 3.0)

    def inject(self):
        super().inject()
        # Those cut at once are counted in the answer to the order itself.
        self.before = 0


class HalfOpen(_WireFault):
    name = "half-open"
    line = "connections stay open and silent for ever; only a deadline gets a client out"
    mode, counter, verb = "half-open", "swallowedBytes", "bytes went nowhere"


class OneWay(_WireFault):
    name = "one-way"
    line = "commands arrive, replies are held and come late"
    mode, counter, verb = "one-way", "held", "connections heard nothing, then all at once"

    def inject(self):
        super().inject()
        self.before = 0


class Stall(_WireFault):
    name = "stall"
    line = "nothing goes either way for a while; then everything that was sent arrives"
    mode, counter, verb = "stall", "held", "directions stood still"

    def inject(self):
        super().inject()
        self.before = 0
