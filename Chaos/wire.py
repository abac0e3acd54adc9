"""A minimal Redis Cluster client of the harness's own: the load must not trust the client tested.

Follows MOVED and ASK, waits at TRYAGAIN, CLUSTERDOWN and the like, and tells apart what the
coordinator has to tell apart as well: refused (has had no effect) and unknown (may have had one).
"""

import socket
import time

SLOTS = 16384
CONNECT_SECONDS = 1.0
# Longer than a failover at the cluster's node timeout, so that a slow server is not an unknown one.
REPLY_SECONDS = 4.0
BACK_OFF_SECONDS = 0.03
MOVES = 8  # redirections of one command before the map is looked up again

# Answers that say that nothing was changed and that asking again helps.
TRANSIENT = (b"TRYAGAIN", b"CLUSTERDOWN", b"LOADING", b"MASTERDOWN", b"OOM", b"BUSY", b"READONLY",
             b"UNBLOCKED")


class Refused(Exception):
    """Redis answered with an error: the command has had no effect."""


class Unknown(Exception):
    """The command was sent and no answer came: it may have had its effect."""


class GaveUp(Exception):
    """Never accepted before the deadline; every attempt is known to have had no effect."""


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def slot_of(key):
    key = key.encode() if isinstance(key, str) else key
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1:end]
    return crc16(key) % SLOTS


def key_in(first, last, prefix):
    """A key with that prefix whose slot lies in first…last."""
    number = 0
    while not first <= slot_of("%s%d" % (prefix, number)) <= last:
        number += 1
    return "%s%d" % (prefix, number)


class Wire:
    """One connection speaking RESP2. Any error of the socket ends its use."""

    def __init__(self, host, port, reply_seconds=REPLY_SECONDS):
        self.socket = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
        self.socket.settimeout(reply_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def close(self):
        self.reader.close()
        self.socket.close()

    def send(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words))

    def receive(self):
        reply = self._reply()
        if isinstance(reply, Refused):
            raise reply
        return reply

    def call(self, *words):
        self.send(*words)
        return self.receive()

    def _reply(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("connection closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return Refused(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        size = int(rest)
        if size < 0:
            return None
        data = self.reader.read(size + 2)
        if len(data) != size + 2:
            raise OSError("connection closed")
        return data[:-2]


class ClusterClient:
    """Commands on one key each, sent to whoever serves its slot."""

    def __init__(self, seeds):
        self.seeds = list(seeds)  # (host, port)
        self.wires = {}
        self.owners = {}  # slot: (host, port)

    def close(self):
        for wire in self.wires.values():
            wire.close()
        self.wires.clear()

    def _wire(self, address):
        if address not in self.wires:
            self.wires[address] = Wire(*address)
        return self.wires[address]

    def _drop(self, address):
        wire = self.wires.pop(address, None)
        if wire:
            wire.close()

    def _look_up(self, slot, deadline):
        """Asks the servers in turn who serves the slot."""
        while time.monotonic() < deadline:
            for address in list(self.seeds):
                try:
                    for entry in self._wire(address).call("CLUSTER", "SLOTS"):
                        if entry[0] <= slot <= entry[1]:
                            return entry[2][0].decode(), entry[2][1]
                except (OSError, Refused):
                    self._drop(address)
                    self.seeds.append(self.seeds.pop(self.seeds.index(address)))  # asked last
            time.sleep(BACK_OFF_SECONDS)
        raise GaveUp("nobody serves slot %d" % slot)

    def call(self, key, words, seconds):
        """The reply; `Refused`, `Unknown` or `GaveUp` else. Never sends again what may have run."""
        slot, deadline, moves, asking = slot_of(key), time.monotonic() + seconds, 0, False
        address = self.owners.get(slot)
        while time.monotonic() < deadline:
            address = address or self._look_up(slot, deadline)
            try:
                wire = self._wire(address)
            except OSError:
                address = None
                self.seeds.append(self.seeds.pop(0))
                time.sleep(BACK_OFF_SECONDS)
                continue
            try:
                if asking:
                    wire.call("ASKING")
                reply = wire.call(*words)
                if not asking:
                    self.owners[slot] = address
                return reply
            except OSError as error:
                self._drop(address)
                self.owners.pop(slot, None)
                raise Unknown(str(error))
            except Refused as refusal:
                text = str(refusal).split()
                asking = text[0] == "ASK"
                moves += 1
                if text[0] in ("MOVED", "ASK") and moves < MOVES:
                    host, _, port = text[2].rpartition(":")
                    address = (host, int(port))
                elif text[0] in ("MOVED", "ASK") or text[0].encode() in TRANSIENT:
                    moves, address = 0, None
                    time.sleep(BACK_OFF_SECONDS)
                else:
                    raise
        raise GaveUp("not accepted within %g s" % seconds)
