#!/usr/bin/env python3
"""A TCP proxy in front of every Redis server, in a process of its own.

    proxy.py LISTEN:TARGET…          loopback ports; one pair for each server, in their order

Orders are lines of JSON on stdin, each answered by one line on stdout:
{"servers": [0, 2], "mode": "stall", "who": ["client"], "oneIn": 4, "seed": 1}. The answer holds the
counters of all servers. At the end of the input it exits: it does not outlive the harness.

mode          what happens to connections of those kinds, old and new
pass          everything goes through
stall         nothing goes either way; what was sent arrives when the mode ends
one-way       commands go through; replies are held and arrive late, when the mode ends
half-open     the server's side is closed, the client's stays open and silent for ever, also
              when the mode has ended: only a deadline of the client gets it out
drop-replies  the command is carried out; one reply in `oneIn` is thrown away and the client reset
reset         cut with RST; new ones as well, as soon as their kind is known

Kinds are `client` and `replica` (it sends REPLCONF): the cluster bus does not pass here.
"""

import asyncio
import json
import random
import signal
import socket
import struct
import sys

HOST = "127.0.0.1"
CONNECT_SECONDS = 2.0  # loopback answers in a millisecond, unless the server is paused
SNIFFED_BYTES = 4096  # a replica says REPLCONF within its first hundred bytes
BUFFERED_BYTES = 1 << 20  # of one direction before its sender is held back
REPLY_RATE_DEFAULT = 4


class Server:
    """One listening port, its target and the mode of each kind of connection."""

    def __init__(self, listen, target):
        self.listen, self.target = listen, target
        self.modes = {"client": "pass", "replica": "pass"}
        self.one_in, self.random = REPLY_RATE_DEFAULT, random.Random(0)
        self.pairs = set()
        self.counters = {"accepted": 0, "reset": 0, "droppedReplies": 0, "swallowedBytes": 0,
                         "held": 0}

    def set_mode(self, order):
        self.one_in = order.get("oneIn", REPLY_RATE_DEFAULT)
        self.random = random.Random(order.get("seed", 0))
        for kind in order["who"]:
            self.modes[kind] = order["mode"]
        for pair in list(self.pairs):
            if pair.kind in order["who"]:
                pair.obey()

    def report(self):
        kinds = {"client": 0, "replica": 0}
        for pair in self.pairs:
            kinds[pair.kind] += 1
        return dict(self.counters, **kinds)


class Side(asyncio.Protocol):
    """One of the two connections of a pair."""

    def __init__(self, pair, is_client):
        self.pair, self.is_client = pair, is_client
        self.transport = None
        self.reasons = set()  # why reading is held back at the moment

    @property
    def other(self):
        return self.pair.back if self.is_client else self.pair.front

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFERED_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pair.made(self)

    def data_received(self, data):
        self.pair.received(self, data)

    def connection_lost(self, _):
        self.pair.lost(self)

    def pause_writing(self):
        self.other.hold("full")

    def resume_writing(self):
        self.other.release("full")

    def hold(self, reason):
        if self.transport and not self.transport.is_closing():
            if not self.reasons:
                self.transport.pause_reading()
            self.reasons.add(reason)

    def release(self, reason):
        if reason in self.reasons:
            self.reasons.discard(reason)
            if not self.reasons and not self.transport.is_closing():
                self.transport.resume_reading()

    def cut(self, hard):
        if self.transport and not self.transport.is_closing():
            if hard:  # linger of zero seconds: RST instead of FIN
                self.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()
            else:
                self.transport.close()


class Pair:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, server):
        self.server, self.kind, self.sniffed = server, "client", b""
        self.front, self.back = Side(self, True), Side(self, False)
        self.waiting = []  # what the client sent before the server's side was there
        self.is_half_open = False
        self.connecting = None

    def made(self, side):
        if not side.is_client:
            if self.waiting:
                side.transport.write(b"".join(self.waiting))
                self.waiting = []
            self.obey()
            return
        self.server.pairs.add(self)
        self.server.counters["accepted"] += 1
        if self.server.modes[self.kind] != "half-open":
            self.connecting = asyncio.get_running_loop().create_task(self.connect())
        self.obey()

    async def connect(self):
        try:
            await asyncio.wait_for(asyncio.get_running_loop().create_connection(
                lambda: self.back, HOST, self.server.target), CONNECT_SECONDS)
        except (OSError, asyncio.TimeoutError):
            self.front.cut(hard=True)  # as the kernel would answer for a server that is gone

    def obey(self):
        """Does to this pair what its kind's mode says."""
        mode = self.server.modes[self.kind]
        if mode == "half-open" and not self.is_half_open:
            self.is_half_open = True
            self.back.cut(hard=True)
        elif mode == "reset":
            self.server.counters["reset"] += 1
            self.cut()
        for side, modes in ((self.front, ("stall",)), (self.back, ("stall", "one-way"))):
            if mode in modes:
                self.server.counters["held"] += "mode" not in side.reasons
                side.hold("mode")
            else:
                side.release("mode")

    def received(self, side, data):
        if side.is_client and len(self.sniffed) < SNIFFED_BYTES and self.kind == "client":
            self.sniffed += data[:SNIFFED_BYTES]
            if b"REPLCONF" in self.sniffed.upper():
                self.kind = "replica"
                self.obey()
        if self.is_half_open:
            self.server.counters["swallowedBytes"] += len(data)
        elif not side.is_client and self.server.modes[self.kind] == "drop-replies" \
                and self.server.random.randrange(self.server.one_in) == 0:
            self.server.counters["droppedReplies"] += 1
            self.cut()
        elif side.other.transport is None:
            self.waiting.append(data)
        elif not side.other.transport.is_closing():
            side.other.transport.write(data)

    def cut(self):
        self.front.cut(hard=True)
        self.back.cut(hard=False)

    def lost(self, side):
        if side.is_client:
            self.server.pairs.discard(self)
            if self.connecting:
                self.connecting.cancel()
        if not self.is_half_open or side.is_client:
            side.other.cut(hard=False)


async def main(words):
    loop = asyncio.get_running_loop()
    servers = [Server(*(int(port) for port in word.split(":"))) for word in words]
    for server in servers:
        await loop.create_server(lambda server=server: Pair(server).front, HOST, server.listen)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("{}", flush=True)
    while True:
        line = await orders.readline()
        if not line:
            return
        order = json.loads(line)
        for index in order["servers"]:
            servers[index].set_mode(order)
        print(json.dumps([server.report() for server in servers]), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness decides, also after a Ctrl-C
    asyncio.run(main(sys.argv[1:]))
