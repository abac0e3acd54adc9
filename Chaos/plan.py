"""Which faults, in which order, with which pauses: from a seed alone, to be repeated."""

import random

from faults import load_all

# Between two faults: long enough that rotations happen undisturbed too, short enough to meet them.
GAP_SECONDS = (0.5, 3.0)

# One of each kind, the quick ones; the order is drawn from the seed. No clock jumps here: for a
# minute after one Redis may not see a master fail, and the next fault would wait for that.
CI = ("sigkill-leader", "pause-leader", "sigterm-leader", "sigkill-all", "master-kill",
      "master-kill-lossy", "master-pause", "source-pause", "manual-failover", "migrate-slots", "drop-replies",
      "reset-connections", "half-open", "script-flush", "maxmemory")

# How often each is there among the 226 faults of the long battery: what loses acknowledged writes
# and what takes leadership away most often, for that is where data can go wrong.
LONG = {
    "sigkill-leader": 16, "sigkill-node": 8, "sigkill-all": 8, "pause-leader": 16,
    "pause-owner": 10, "sigterm-leader": 10, "rolling-restart": 6, "master-kill": 14,
    "master-kill-lossy": 24, "master-pause": 12, "source-pause": 9, "manual-failover": 10, "migrate-slots": 12,
    "drop-replies": 10, "reset-connections": 8, "half-open": 8, "one-way": 8, "stall": 6,
    "script-flush": 6, "client-kill": 6, "maxmemory": 6, "clock-jump": 8, "all-masters-pause": 4,
    "redis-gone": 1}
# The long battery is several runs, each on a cluster of its own and judged by itself: a bad verdict
# then points at some twenty faults, and no run is longer than the coordinator keeps its source.
LONG_ROUNDS = 9


class Step:
    """One fault to come."""

    def __init__(self, number, fault, gap, hold, seed):
        self.number, self.fault, self.gap, self.hold, self.seed = number, fault, gap, hold, seed

    def random(self):
        """The fault's own numbers: what one fault draws does not move the next one's."""
        return random.Random("fault %s %d" % (self.seed, self.number))


def schedule(names, count, seed):
    """`count` steps: each pass holds every name once, in an order of its own."""
    faults = load_all()
    chooser = random.Random("plan %s" % seed)
    steps, bag = [], []
    for number in range(count):
        if not bag:
            bag = list(names)
            chooser.shuffle(bag)
        fault = faults[bag.pop()]
        steps.append(Step(number, fault, chooser.uniform(*GAP_SECONDS),
                          chooser.uniform(*fault.hold), seed))
    return steps


def default_names():
    return [name for name, fault in load_all().items() if fault.by_default]


def long_rounds(seed):
    """[(seed, names)] of the long battery's runs."""
    bag = [name for name, count in LONG.items() for _ in range(count)]
    random.Random("long %s" % seed).shuffle(bag)
    return [("%s.%d" % (seed, index), bag[index::LONG_ROUNDS]) for index in range(LONG_ROUNDS)]
