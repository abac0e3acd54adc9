#!/usr/bin/env python3
"""The exact figures of every window, counted independently of the coordinator.

    truth.py count FILE…                 every window, a line of JSON each; a summary on stderr
    truth.py compare EXPORT FILE…        with `coordinator export -o ndjson`: first differences,
                                         a digest; exit 1 on any difference
    truth.py digest EXPORT               the digest alone

FILE is ndjson or a web-server log (.gz, - for stdin). With --pfcount HOST:PORT of a scratch Redis
server, devices are PFCOUNT of one plain PFADD of the window's devices, to the unit; without it
they are exact in `count`, and not compared in `compare`. Python's standard library only.

Rows of a bounded deployment tell by how much their page views may be too many (`pageviewsError`):
where that is 0 the row has to be exact, else the truth has to lie within. With --bounded, records
may be missing.
"""

import argparse
import hashlib
import hmac
import json
import re
import socket
import sys

sys.dont_write_bytecode = True  # the checkout stays clean

from events import ORIGINAL_SITES, Reader

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
NAMES = [(86_400_000, "DAY"), (3_600_000, "HOUR"), (60_000, "MINUTE"), (1000, "SECOND")]
WINDOWS_AT_ONCE = 500  # in one pipeline: their replies fit the socket's buffers
FIRST_DIFFERENCES = 10


def span(text):
    parts = re.findall(r"(\d+)(ms|[smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError("'%s' is no span such as 30m, 6h or 7d" % text)
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def tier_name(length):
    for unit, name in NAMES:
        if length % unit == 0:
            count = length // unit
            return "%d%s%s" % (count, name, "" if count == 1 else "S")
    return "%dMS" % length


def ladder(text):
    """[(name, length, keep)], the base first; the base keeps nothing of its own."""
    tiers = []
    for part in text.split(","):
        length, _, keep = part.partition("/")
        tiers.append((tier_name(span(length)), span(length), span(keep) if keep else 0))
    return tiers


class Scratch:
    """PFADD and PFCOUNT on a plain server, many windows in one go."""

    KEY = b"coordinator:truth"

    def __init__(self, address):
        host, _, port = address.removeprefix("redis://").partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.reader = self.socket.makefile("rb")

    @staticmethod
    def command(words):
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

    def estimates(self, sets):
        out = []
        for devices in sets:
            out.append(self.command([b"DEL", self.KEY]))
            out.append(self.command([b"PFADD", self.KEY] + devices))
            out.append(self.command([b"PFCOUNT", self.KEY]))
        self.socket.sendall(b"".join(out))
        replies = [self.reader.readline() for _ in range(3 * len(sets))]
        for reply in replies:
            if not reply.startswith(b":"):
                raise SystemExit("truth.py: the scratch server answers %r" % reply)
        return [int(reply[1:]) for reply in replies[2::3]]


def stored(device, key):
    """What a deployment keeps of a device id: itself, or its HMAC-SHA-256 cut to 128 bits."""
    return hmac.new(key, device, hashlib.sha256).hexdigest()[:32].encode() if key else device


def secret(path):
    with open(path, "rb") as file:
        return file.read().rstrip(b"\r\n")


def count(options):
    """Yields (tier, dimension, id, name, window, pageviews, exact, estimate), sorted."""
    tiers = options.tiers
    reader = Reader(options, max(keep for _, _, keep in tiers) + options.outage_allowance)
    entities, names, devices, events = {}, [], {}, []
    for path in options.files:
        for moment, device, places in reader.events(path):
            numbers = []
            for dimension, (identity, name) in places.items():
                key = (dimension, identity)
                if key not in entities:
                    entities[key] = len(names)
                    names.append((dimension, identity, name))
                numbers.append(entities[key])
            number = -1 if device is None else devices.setdefault(device, len(devices))
            events.append((moment, number, numbers))
    spelt = [stored(device.encode(), options.device_key) for device in devices]
    scratch = Scratch(options.pfcount) if options.pfcount else None
    # Tier by tier, each from the events themselves: no rollup, and one tier's sets in memory.
    for tier, length, _ in tiers:
        windows = {}
        for moment, device, numbers in events:
            start = moment - moment % length
            for number in numbers:
                window = windows.get((number, start))
                if window is None:
                    window = windows[(number, start)] = [0, set()]
                window[0] += 1
                if device >= 0:
                    window[1].add(device)
        order = sorted(windows, key=lambda key: (*names[key[0]][:2], key[1]))
        for first in range(0, len(order), WINDOWS_AT_ONCE):
            some = order[first:first + WINDOWS_AT_ONCE]
            estimates = [None] * len(some)
            if scratch:
                estimates = scratch.estimates(
                    [[spelt[device] for device in windows[key][1]] for key in some])
            for key, estimate in zip(some, estimates):
                dimension, identity, name = names[key[0]]
                pageviews, seen = windows[key]
                yield tier, dimension, identity, name, key[1], pageviews, len(seen), estimate
    print(json.dumps({"read": reader.read, "counted": reader.counted,
                      "refused": dict(sorted(reader.refused.items())),
                      "leftOut": dict(sorted(reader.left_out.items()))}), file=sys.stderr)


def read_export(path):
    """{(tier, dimension, id, window): (pageviews, devices, error)}; numbers may be strings."""
    rows = {}
    with (sys.stdin if path == "-" else open(path, encoding="utf-8")) as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                key = (row["tier"], row["dimension"], row["id"], int(row["window"]))
                figures = (int(row["pageviews"]),
                           None if row["devices"] is None else int(row["devices"]),
                           int(row.get("pageviewsError", 0)))
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit("truth.py: line %d of %s is no window: %r" % (number, path, error))
            if key in rows:
                raise SystemExit("truth.py: %s has %s twice" % (path, key))
            rows[key] = figures
    return rows


def digest(rows):
    """Of all windows with their figures, in a fixed order: equal figures, equal digest."""
    whole = hashlib.sha256()
    for key in sorted(rows):
        whole.update(("%s %s %s %d " % key + "%d %s\n" % rows[key][:2]).encode())
    return whole.hexdigest()


def same_devices(pageviews, estimate, shown):
    # An estimate above the page views may be shown as the page views; the registers stay.
    return shown == estimate or (estimate > pageviews and shown == pageviews)


def compare(options):
    lengths = {name: length for name, length, _ in options.tiers}
    wanted = set(options.tier or lengths)

    def within(key):
        return key[0] in wanted and (options.until is None
                                     or key[3] + lengths.get(key[0], 0) <= options.until)

    export = {key: row for key, row in read_export(options.export).items() if within(key)}
    unseen = dict(export)
    differences, windows, bounded = [], 0, 0
    for tier, dimension, identity, name, start, pageviews, _, estimate in count(options):
        key = (tier, dimension, identity, start)
        if not within(key):
            continue
        windows += 1
        row = unseen.pop(key, None)
        place = "%s %s %s %d (%s)" % (*key, name)
        if row is None:
            if options.bounded:
                continue
            differences.append("missing   %s: %d page views" % (place, pageviews))
        elif row[2] > 0:
            bounded += 1
            if not row[0] - row[2] <= pageviews <= row[0]:
                differences.append("bounds    %s: %d, exported %d - %d"
                                   % (place, pageviews, row[0], row[2]))
        elif row[0] != pageviews:
            differences.append("pageviews %s: %d, exported %d" % (place, pageviews, row[0]))
        elif estimate is not None and not same_devices(pageviews, estimate, row[1]):
            differences.append("devices   %s: %d, exported %s" % (place, estimate, row[1]))
    for key, row in sorted(unseen.items()):
        differences.append("extra     %s %s %s %d: %d page views" % (*key, row[0]))
    for line in differences[:FIRST_DIFFERENCES]:
        print(line)
    if len(differences) > FIRST_DIFFERENCES:
        print("… and %d more" % (len(differences) - FIRST_DIFFERENCES))
    print("%d windows counted, %d exported, %d differences%s" % (
        windows, len(export), len(differences),
        "" if options.pfcount else " (devices not compared: no --pfcount)"))
    if bounded:
        print("%d of them within bounds" % bounded)
    print("digest %s" % digest(export))
    return 1 if differences else 0


def print_count(options):
    for tier, dimension, identity, name, window, pageviews, exact, estimate in count(options):
        row = {"tier": tier, "dimension": dimension, "id": identity, "name": name,
               "window": window, "pageviews": pageviews, "devices_exact": exact}
        if estimate is not None:
            row["devices"] = estimate
        print(json.dumps(row, ensure_ascii=False))
    return 0


def print_digest(options):
    print("digest %s" % digest(read_export(options.export)))
    return 0


def parse_arguments():
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--host", help="of a web-server log without hosts")
    shared.add_argument("--count", choices=("pages", "all"), default="pages")
    shared.add_argument("--device", choices=("agent", "address"), default="agent")
    shared.add_argument("--tiers", type=ladder, default=ladder("1m,5m/30m,10m/1h,1h/24h,3h/7d"))
    shared.add_argument("--outage-allowance", type=span, default=span("6h"))
    shared.add_argument("--sites", metavar="FILE", help="the deployment's site table")
    shared.add_argument("--pfcount", metavar="HOST:PORT", help="a scratch Redis server")
    shared.add_argument("--device-key", type=secret, metavar="FILE", help="the deployment's")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    counting = commands.add_parser("count", parents=[shared])
    counting.add_argument("files", nargs="+", metavar="FILE")
    counting.set_defaults(run=print_count)
    comparing = commands.add_parser("compare", parents=[shared])
    comparing.add_argument("export", metavar="EXPORT")
    comparing.add_argument("files", nargs="+", metavar="FILE")
    comparing.add_argument("--tier", action="append", help="only this one; repeatable")
    comparing.add_argument("--until", type=int, metavar="MS",
                           help="only windows that end by then, on both sides")
    comparing.add_argument("--bounded", action="store_true", help="records may be missing")
    comparing.set_defaults(run=compare)
    digesting = commands.add_parser("digest")
    digesting.add_argument("export", metavar="EXPORT")
    digesting.set_defaults(run=print_digest)
    options = parser.parse_args()
    if options.command != "digest":
        options.sites = json.load(open(options.sites, encoding="utf-8")) if options.sites \
            else {"hosts": ORIGINAL_SITES}
    return options


if __name__ == "__main__":
    arguments = parse_arguments()
    try:
        sys.exit(arguments.run(arguments))
    except OSError as problem:
        sys.exit("truth.py: %s" % problem)
