"""Does its worst to an HTTP port until its standard input ends; then says how often it connected.

    hostile.py PORT SEED

Headers that trickle, connections held open, a megabyte of headers, bad chunks, mutated requests, all
at once, from a process of low priority: it is to attack a node, not to take its core away.
"""

import os
import random
import resource
import socket
import sys
import threading

HELD = 10_000
# Of each kind, one step: five kinds are a thousand connections a second at most.
PAUSE_SECONDS = 0.005
NICE = 10


class Abuse:
    """Threads that do their worst until they are told to end."""

    def __init__(self, port, seed):
        self.port, self.over, self.requests = port, threading.Event(), 0
        kinds = [self.trickle, self.hold, self.large, self.chunks, self.fuzz]
        self.threads = [threading.Thread(target=kind, args=(random.Random(seed + place),),
                                         daemon=True) for place, kind in enumerate(kinds)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def connect(self):
        self.requests += 1
        some = socket.socket()
        some.settimeout(1)
        some.connect(("127.0.0.1", self.port))
        return some

    def again(self, step):
        while not self.over.is_set():
            try:
                step()
            except OSError:
                pass
            self.over.wait(PAUSE_SECONDS)

    def trickle(self, _):
        held = []

        def step():
            if len(held) < 200:
                held.append(self.connect())
                held[-1].sendall(b"GET / HTTP/1.1\r\n")
            for some in list(held):
                try:
                    some.sendall(b"X")
                except OSError:
                    held.remove(some)
            self.over.wait(0.2)

        self.again(step)

    def hold(self, _):
        held = []

        def step():
            held.append(self.connect())
            if len(held) > HELD:
                held.pop(0).close()

        self.again(step)
        for some in held:
            some.close()

    def large(self, _):
        def step():
            with self.connect() as some:
                some.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (1 << 20))

        self.again(step)

    def chunks(self, chance):
        def step():
            with self.connect() as some:
                some.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked"
                             b"\r\n\r\n" + chance.choice(
                                 [b"zz\r\n", b"ffffffffffffffffffff\r\n", b"5\r\nab", b"-1\r\n"]))

        self.again(step)

    def fuzz(self, chance):
        seeds = [b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"GET /api/v1/top?last=30m&number=5 HTTP/1.1\r\nHost: [::1]\r\nA: b\r\n\r\n",
                 b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]

        def step():
            data = bytearray(chance.choice(seeds))
            for _ in range(chance.randrange(5)):
                place = chance.randrange(len(data))
                data[place:place + chance.randrange(2)] = bytes([chance.randrange(256)])
            with self.connect() as some:
                some.sendall(bytes(data))

        self.again(step)


def main():
    os.nice(NICE)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    some = Abuse(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdin.read()
    some.end()
    try:
        print(some.requests)
    except BrokenPipeError:
        pass  # who started it has ended


if __name__ == "__main__":
    main()
