"""The Redis servers of a run: three masters and three replicas, a proxy in front of each."""

import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Deploy"))

from local_cluster import READY_SECONDS, Cluster, Failure, choose_ports
from processes import Trouble, until
from wire import Refused, Wire

HOST = "127.0.0.1"
MASTERS = 3
SERVERS = 2 * MASTERS
# A failover takes some two seconds at this timeout; at one second two busy cores cause false ones.
NODE_TIMEOUT_MS = 1500
# The order in the proxy's pipe is answered within a millisecond; it shares the machine.
PROXY_SECONDS = 10.0
# A takeover without being asked needs the node timeout, a vote and the election's delay: seconds.
# But Redis measures silence by the wall clock: a server whose clock went back by a minute may not
# see another one fail for that minute (seen once: no failover in 30 s), and its vote is needed.
TAKEOVER_SECONDS = 100.0
ADMIN_REPLY_SECONDS = 5.0
START_ATTEMPTS = 3  # another program may take a port between the look and the start


class Proxies:
    """Orders to the proxy's process."""

    def __init__(self, processes, folder, pairs):
        words = ["%d:%d" % pair for pair in pairs]
        self.child = processes.start(
            [sys.executable, os.path.join(HERE, "proxy.py")] + words,
            os.path.join(folder, "proxy.log"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer()

    def _answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise Trouble("the proxy ended: see proxy.log")
        return json.loads(line)

    def set(self, servers, mode, who=("client",), **more):
        """Sets the mode of these servers; gives all servers' counters."""
        order = dict(servers=list(servers), mode=mode, who=list(who), **more)
        self.child.stdin.write(json.dumps(order).encode() + b"\n")
        self.child.stdin.flush()
        return self._answer()

    def counters(self):
        return self.set([], "pass")


class ChaosCluster(Cluster):
    """`Deploy`'s cluster, announcing the ports of proxies and with clocks that can be shifted."""

    def __init__(self, folder, processes):
        super().__init__(folder)
        self.processes = processes
        self.shim = self.proxies = None
        self.popens = {}  # index: the live process
        self.starts = {}  # index: when it was started last

    # Starting

    def begin(self):
        os.makedirs(self.folder, exist_ok=True)
        self.shim = self._compile_shim()
        options = argparse.Namespace(
            single=False, masters=MASTERS, replicas=1, persist=False, plain=False, bind=HOST,
            node_timeout=NODE_TIMEOUT_MS, tls=False, acl=None, config=[])
        for attempt in range(START_ATTEMPTS):
            ports = choose_ports(HOST, 2 * SERVERS, 0, True)
            self.define(options, ports[:SERVERS])
            for node, port in zip(self.nodes, ports[SERVERS:]):
                node["proxy"] = port
            try:
                self.proxies = Proxies(self.processes, self.folder,
                                       [(node["proxy"], node["port"]) for node in self.nodes])
                self.launch(self.nodes)
                deadline = time.monotonic() + READY_SECONDS
                self.wait(self.nodes, lambda wire, _: wire.call("PING"), "up", deadline)
                self.form(deadline)
                self.wait(self.nodes, self.ready, "ready", deadline)
                return
            except (Failure, Trouble, OSError) as error:  # also: the servers met too early
                if attempt + 1 == START_ATTEMPTS:
                    raise Trouble("no cluster could be started: %s" % error)
                for child in list(self.popens.values()) + [self.proxies.child]:
                    self.processes.kill(child)
                for node in self.nodes:
                    shutil.rmtree(os.path.join(self.folder, node["folder"]), ignore_errors=True)

    def _compile_shim(self):
        """The clock shim, or None where there is no C compiler."""
        compiler = next((name for name in ("cc", "clang", "gcc") if shutil.which(name)), None)
        if not compiler:
            return None
        path = os.path.join(self.folder, "clock_shim.so")
        result = subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", path, os.path.join(HERE, "clock_shim.c")],
            capture_output=True, text=True, timeout=60)
        if result.returncode:
            raise Trouble("the clock shim does not compile: %s" % result.stderr.strip())
        return path

    def write_configuration(self, node, stack):
        super().write_configuration(node, stack)
        with open(self.configuration(node), "a", encoding="utf-8") as file:
            # Clients and replicas come through the proxy; the cluster bus stays direct.
            file.write("cluster-announce-port %d\ncluster-announce-bus-port %d\n"
                       % (node["proxy"], node["busPort"]))

    def launch(self, nodes):
        for node in nodes:
            if self.shim:
                # The parent starts one server at a time, and nothing else meanwhile: what it puts
                # into its own environment reaches this server alone.
                os.environ["CHAOS_CLOCK"] = self._clock(node)
                os.environ["LD_PRELOAD"] = self.shim
                self.shift_clock(node, 0)
            try:
                super().launch([node])
            finally:
                os.environ.pop("LD_PRELOAD", None)
                os.environ.pop("CHAOS_CLOCK", None)
            child = self.children[node["pid"]]
            self.processes.adopt(child)
            self.popens[node["index"]] = child

    def _clock(self, node):
        return os.path.join(self.folder, "clock-%d" % node["index"])

    def shift_clock(self, node, milliseconds):
        # In place: the server has the file mapped. Eight aligned bytes are never seen half.
        path = self._clock(node)
        with open(path, "r+b" if os.path.exists(path) else "w+b") as file:
            file.write(struct.pack("=q", milliseconds))

    # Looking

    @property
    def proxy_seeds(self):
        return [(HOST, node["proxy"]) for node in self.nodes]

    def wire(self, node, reply_seconds=ADMIN_REPLY_SECONDS):
        """A connection that does not pass the proxy."""
        return Wire(HOST, node["port"], reply_seconds)

    def ask(self, node, *words):
        wire = self.wire(node)
        try:
            return wire.call(*words)
        finally:
            wire.close()

    def answers(self, node):
        """Running and not paused: nobody asks a stopped process and waits for its silence."""
        child = self.popens.get(node["index"])
        if child is None or child.poll() is not None:
            return False
        with open("/proc/%d/stat" % child.pid, encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "T"

    def view(self, node):
        """What one server believes: {index: (is master, master's index, [(first, last)])}."""
        numbers = {other["id"]: other["index"] for other in self.nodes}
        roles = {}
        for line in self.ask(node, "CLUSTER", "NODES").decode().splitlines():
            words = line.split()
            if words[0] not in numbers:
                continue
            ranges = [tuple(int(part) for part in (word + "-" + word).split("-")[:2])
                      for word in words[8:] if not word.startswith("[")]
            roles[numbers[words[0]]] = ("master" in words[2], numbers.get(words[3]), ranges)
        return roles

    def roles(self):
        for node in self.nodes:
            if self.answers(node):
                try:
                    return self.view(node)
                except (OSError, Refused):
                    continue
        raise Trouble("no Redis server answers")

    def masters(self):
        return [index for index, role in sorted(self.roles().items()) if role[0] and role[2]]

    def master_of(self, slot):
        for index, (is_master, _, ranges) in self.roles().items():
            if is_master and any(first <= slot <= last for first, last in ranges):
                return index
        raise Trouble("no master serves slot %d" % slot)

    def replica_of(self, master):
        return next((index for index, role in sorted(self.roles().items())
                     if not role[0] and role[1] == master), None)

    def is_master(self, index):
        """As the server itself says, with slots: after a takeover."""
        try:
            role = self.view(self.nodes[index]).get(index)
        except (OSError, Refused):
            return False
        return bool(role and role[0] and role[2])

    def states(self):
        """For each server: master, replica, paused or gone."""
        found = []
        for node in self.nodes:
            if self.answers(node):
                found.append("master" if self.is_master(node["index"]) else "replica")
            else:
                found.append("paused" if self.popens[node["index"]].poll() is None else "gone")
        return found

    def wait_for_takeover(self, replica):
        until(lambda: self.is_master(replica), TAKEOVER_SECONDS,
              "server %d took over from its master" % replica)

    # Breaking and healing

    def signal(self, index, number):
        self.popens[index].send_signal(number)

    def kill_server(self, index):
        return self.processes.kill(self.popens[index])

    def restart(self, index):
        """Without persistence it comes back empty: only for a server that is no master any more."""
        self.launch([self.nodes[index]])

    def wait_ready(self, seconds):
        try:
            self.wait(self.nodes, self.ready, "ready", time.monotonic() + seconds)
        except Failure as error:
            raise Trouble(str(error))

    def heal_all(self):
        """Whatever a fault left behind: nothing paused, nothing cut, clocks right, all running."""
        self.proxies.set(range(SERVERS), "pass", ("client", "replica"))
        for node in self.nodes:
            self.shift_clock(node, 0)
            child = self.popens[node["index"]]
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
            else:
                self.processes.forget(child)
                self.restart(node["index"])
