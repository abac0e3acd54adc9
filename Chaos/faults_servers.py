"""Faults of Redis servers that live on: what is forgotten, cut, full, asleep or late."""

import signal

from faults import Fault
from faults_masters import READY_SECONDS
from processes import until
from servers import TAKEOVER_SECONDS
from stage import Stuck
from wire import Refused, key_in

CLOCK_JUMP_MS = 60_000


class ScriptFlush(Fault):
    name = "script-flush"
    line = "SCRIPT FLUSH on every server: scripts are to be sent again"
    hold = (0.2, 1.0)

    def inject(self):
        self.target = "all servers"
        for node in self.cluster.nodes:
            self.cluster.ask(node, "SCRIPT", "FLUSH")
        self.effect = "%d script caches emptied" % len(self.cluster.nodes)

    def heal(self):
        pass


class ClientKill(Fault):
    name = "client-kill"
    line = "CLIENT KILL of every normal connection of all masters, three times"
    hold = (0.2, 1.0)
    TIMES = 3

    def inject(self):
        masters = self.cluster.masters()
        self.target = "server " + ",".join(str(index) for index in masters)
        killed = 0
        for _ in range(self.TIMES):
            for index in masters:
                killed += self.cluster.ask(self.cluster.nodes[index], "CLIENT", "KILL", "TYPE",
                                           "normal", "SKIPME", "yes")
        if killed:
            self.effect = "%d connections killed" % killed

    def heal(self):
        pass


class MaxMemory(Fault):
    name = "maxmemory"
    line = "a master has no memory left and refuses writes; then it has again"
    hold = (1.0, 5.0)

    def inject(self):
        self.index = self.random.choice(self.cluster.masters())
        node, self.target = self.cluster.nodes[self.index], "server %d" % self.index
        self.cluster.ask(node, "CONFIG", "SET", "maxmemory", "1mb")
        first, last = self.cluster.roles()[self.index][2][0]
        key = "K:CHAOS::{%s}::" % key_in(first, last, "full")
        try:
            self.cluster.ask(node, "SET", key, "x")
        except Refused as error:
            if str(error).startswith("OOM"):
                self.effect = "writes refused with OOM for %.1f s" % self.hold_seconds

    def heal(self):
        self.cluster.ask(self.cluster.nodes[self.index], "CONFIG", "SET", "maxmemory", "0")


class ClockJump(Fault):
    name = "clock-jump"
    line = "the wall clock of one master jumps by a minute, and back"
    hold = (2.0, 6.0)

    def why_not(self):
        return None if self.cluster.shim else "no C compiler: the clock shim cannot be built"

    def seconds(self):
        return int(self.cluster.ask(self.cluster.nodes[self.index], "TIME")[0])

    def inject(self):
        self.index = self.random.choice(self.cluster.masters())
        jump = self.random.choice((-CLOCK_JUMP_MS, CLOCK_JUMP_MS))
        self.target = "server %d by %+d s" % (self.index, jump // 1000)
        before = self.seconds()
        self.cluster.shift_clock(self.cluster.nodes[self.index], jump)
        moved = self.seconds() - before
        if abs(moved - jump // 1000) <= 2:  # and a second or two of honest time
            self.effect = "its TIME moved by %+d s" % moved

    def heal(self):
        self.cluster.shift_clock(self.cluster.nodes[self.index], 0)


class PauseAllMasters(Fault):
    name = "all-masters-pause"
    line = "no master answers for some seconds; nobody is left to vote for replicas"
    hold = (3.0, 10.0)

    def inject(self):
        self.paused = self.cluster.masters()
        self.target = "server " + ",".join(str(index) for index in self.paused)
        for index in self.paused:
            self.cluster.signal(index, signal.SIGSTOP)
        until(lambda: not any(self.cluster.answers(self.cluster.nodes[index])
                              for index in self.paused), TAKEOVER_SECONDS, "all masters stopped")
        self.effect = "no master for %.1f s" % self.hold_seconds

    def heal(self):
        for index in self.paused:
            self.cluster.signal(index, signal.SIGCONT)
        self.cluster.wait_ready(READY_SECONDS)


class RedisGone(Fault):
    name = "redis-gone"
    line = "every server is stopped for a minute: nodes live on, `status` ends with 2"
    hold = (60.0, 60.0)
    by_default = False  # for its length

    def inject(self):
        self.target = "all servers"
        for node in self.cluster.nodes:
            self.cluster.signal(node["index"], signal.SIGSTOP)
        until(lambda: not any(self.cluster.answers(node) for node in self.cluster.nodes),
              TAKEOVER_SECONDS, "all servers stopped")

    def heal(self):
        code = self.stage.program.run("status", "--timeout", "2s").returncode
        ended = [node.name for node in self.stage.nodes if not node.is_alive]
        sizes = [resident_megabytes(node.child.pid) for node in self.stage.nodes]
        for node in self.cluster.nodes:
            self.cluster.signal(node["index"], signal.SIGCONT)
        self.cluster.wait_ready(READY_SECONDS)
        if code != 2 or ended:
            raise Stuck("with Redis gone `status` ended with %s, and these nodes ended: %s" % (
                code, ", ".join(ended) or "none"))
        self.effect = "no server for %.0f s; status ended with %d; nodes of %s MB" % (
            self.hold_seconds, code, ", ".join("%.0f" % size for size in sizes))


def resident_megabytes(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
