#!/usr/bin/env python3
"""A Redis as the system before this one left it, for the tests of `coordinator migrate`.

    original.py record --redis HOST:PORT --wheel FILE > commands.ndjson.gz
    original.py replay --redis HOST:PORT commands.ndjson.gz

`record` drives the original's own package, rgtracker 0.0.1.1.224, on an empty Redis Stack: it gives
it the one function that it takes from RedisGears, hands it some hours of seeded page views, calls its
loaders and rotations as its jobs do, and writes down every command that it sent and that wrote. It
needs pandas. To make the file again:

    pip download --no-deps --require-hashes -r Tests/Original/requirements.txt
    python3 -m venv DIR && DIR/bin/pip install pandas
    Deploy/cluster start --dir OTHER --single
    DIR/bin/python Tests/Original/original.py record --redis HOST:PORT --wheel rgtracker-*.whl

`replay` sends what was written down to an empty Redis Stack and needs nothing but Python.
"""

import argparse
import gzip
import json
import os
import random
import socket
import sys
import time
import types

START = 1_721_822_400_000  # 2024-07-24T12:00:00Z
MINUTES = 186  # three hours, and a little for the last rotation
VIEWS_A_MINUTE = 3
READING = {"EXISTS", "TTL", "FT.SEARCH", "JSON.GET", "CMS.QUERY", "PFCOUNT", "XRANGE"}
# An hour after the run they would be gone, and with them what the tests look for.
LEFT_OUT = {"EXPIRE"}


class Redis:
    """One connection, blocking. Texts in, texts out; an error reply is an exception."""

    def __init__(self, address):
        host, port = address.removeprefix("redis://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.file = self.socket.makefile("rb")

    def call(self, *words):
        self.send(words)
        return self.reply()

    def send(self, words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(parts))

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2].decode()
        if kind == b"*":
            return [self.reply() for _ in range(max(0, int(rest)))]
        raise RuntimeError("not a reply: %r" % line)


def replay(options):
    redis = Redis(options.redis)
    with gzip.open(options.file, "rt", encoding="utf-8") as lines:
        commands = [json.loads(line) for line in lines]
    for start in range(0, len(commands), 200):
        some = commands[start:start + 200]
        for words in some:
            redis.send(words)
        for _ in some:
            redis.reply()
    print(len(commands))


# What is read: pages of four sites and one that no table names, with and without an article, with
# letters, queries and spellings that a page view may have.
ADDRESSES = [
    "https://www.rtl.lu/actu/monde/a/%d.html" % number for number in range(1_250_240, 1_250_252)
] + [
    "https://5minutes.rtl.lu/actu/monde/a/%d.html" % number for number in range(77_001, 77_007)
] + [
    "https://today.rtl.lu/news/luxembourg/a/%d.html?utm_source=x" % number
    for number in range(1_963_501, 1_963_505)
] + [
    "https://www.eldo.lu/aktuell/news/a/119006.html", "https://www.eldo.lu/musek",
    "https://www.rtl.lu/meenung/caf%C3%A9-cr%C3%A8me/a/1874304.html",
    "https://www.rtl.lu/sport/auto-moto_sport/a/1877315.html",
    "https://www.rtl.lu/sport/auto-moto_sport/a/1877315.html/",
    "https://WWW.rtl.lu/kultur/film", "https://blog.example.org/2024/07/hello-world",
    "https://shop.example.com/a/b/c/d/e/f/g.html",
]


def record(options):
    os.environ["TZ"] = "UTC"  # the original rounds in local time
    time.tzset()
    redis = Redis(options.redis)
    written = []

    def execute(*words):
        name = str(words[0]).upper()
        reply = redis.call(*words)
        if name not in READING | LEFT_OUT:
            written.append([str(word) for word in words])
        return reply

    gears = types.ModuleType("redisgears")
    gears.executeCommand = execute
    gears.log = lambda *_, **__: None
    sys.modules["redisgears"] = gears
    sys.path.insert(0, os.path.abspath(options.wheel))

    # Its package needs its indexes: it looks in them for what was visited in the last minute.
    for letter in "WSP":
        redis.call("FT.CREATE", "I::%s:::" % letter, "ON", "JSON", "PREFIX", "1", "J::%s:" % letter,
                   "SCHEMA", "$.id", "AS", "id", "TAG", "$.last_visited", "AS", "last_visited",
                   "NUMERIC", "SORTABLE")
    Work(execute, redis).run()
    with gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", mtime=0) as file:
        for words in written:
            file.write((json.dumps(words, ensure_ascii=False) + "\n").encode())


class Work:
    """What the jobs do, one after the other in the order of the clock."""

    STEPS = [("1MINUTE", "5MINUTES", 5), ("5MINUTES", "10MINUTES", 2), ("10MINUTES", "1HOUR", 6),
             ("1HOUR", "3HOURS", 3)]

    def __init__(self, execute, redis):
        self.execute = execute
        self.redis = redis
        self.read = {}

    def run(self):
        chance = random.Random(1)
        for minute in range(MINUTES):
            start = START + minute * 60_000
            for view in range(VIEWS_A_MINUTE):
                address = ADDRESSES[int(chance.paretovariate(0.6) - 1) % len(ADDRESSES)]
                device = chance.choice(["null", "device-%d" % chance.randrange(40)])
                self.view(address, device, start + view * 9_000)
            if minute % 5 == 4:
                for step in self.STEPS:
                    for dimension in "WSP":
                        self.rotate(dimension, *step)
        self.enrich()

    def view(self, address, device, moment):
        from rgtracker.record import Record
        from rgtracker.page import load_page
        from rgtracker.section import load_section
        from rgtracker.website import load_website

        value = {"url": address, "uui": device, "dt": str(moment)}
        self.execute("XADD", "ST:TRACKER::::", "%d-*" % moment, *sum(value.items(), ()))
        parts = Record(redis_event="", redis_key="ST:TRACKER::::", redis_type="stream",
                       redis_value=value).serialize_record().serialize_tracker()
        streams = {}
        for name, letter in (("website", "W"), ("section", "S"), ("page", "P")):
            streams[name + "_pageviews"] = "ST:1MINUTE:%s:::PG" % letter
            streams[name + "_unique_devices"] = "ST:1MINUTE:%s:::UD" % letter
        records = [parts[name] for name in ("website", "section", "page", "device")]
        for load in (load_website, load_section, load_page):
            load(*records, streams)

    def rotate(self, dimension, source, target, count):
        from rgtracker import pageviews, uniquedevices

        for metric, module in (("PG", pageviews), ("UD", uniquedevices)):
            stream = "ST:%s:%s:::%s" % (source, dimension, metric)
            last = self.read.get(stream, "-")
            entries = self.redis.call("XRANGE", stream, last, "+")
            records = [dict(zip(fields[::2], fields[1::2])) for _, fields in entries]
            if len({one["ts"] for one in records}) < count:
                continue
            self.read[stream] = "(" + entries[-1][0]
            load = module.load_pageviews if metric == "PG" else module.load_device
            load("job", module.transform(records, count, dimension), dimension,
                 metric == "UD" or target == "5MINUTES", target, 3600, stream,
                 "ST:%s:%s:::%s" % (target, dimension, metric))

    def enrich(self):
        """As its job does with the article API's answer: some pages have metadata."""
        keys, cursor = [], "0"
        while True:
            cursor, some = self.redis.call("SCAN", cursor, "MATCH", "J::P:*", "COUNT", 1000)
            keys += some
            if cursor == "0":
                break
        for number, key in enumerate(sorted(set(keys))):
            article = json.loads(self.redis.call("JSON.GET", key, "$.article_id"))[0]
            if article and number % 3:
                self.execute("JSON.SET", key, "$.metadata", json.dumps({
                    "kicker": "Élections", "title": "L'été à Esch, article %d" % article,
                    "display_date": START - article * 1000}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=("record", "replay"))
    parser.add_argument("--redis", required=True, metavar="HOST:PORT")
    parser.add_argument("--wheel", help="record: the original's package")
    parser.add_argument("file", nargs="?", help="replay: what was recorded")
    options = parser.parse_intermixed_args()
    record(options) if options.command == "record" else replay(options)


if __name__ == "__main__":
    main()
