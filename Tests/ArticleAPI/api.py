#!/usr/bin/env python3
"""An article API for tests: it answers, fails, stalls, lies and streams for ever, as it is told.

Usage: api.py [--port N] [--host ADDRESS]
Prints `http://host:port` when it listens, and ends when the process that started it does.

/items/urn:newstool:article:<n>   an article, or what the mode says
/control?name=value&…             sets the mode: error_share (0…1), error_status, stall_share, stall (s), missing_share,
                                  retry_after, edition (a number in every title)
/stats                            what has been asked so far, as JSON; /stats?reset=1 begins anew
/is/<what>/…                      one kind of answer each, for tests of a client (see KINDS)
"""

import argparse
import gzip
import http.server
import json
import os
import random
import socket
import threading
import time
import urllib.parse

MODE = {"error_share": 0.0, "error_status": 500, "stall_share": 0.0, "stall": 5.0, "missing_share": 0.0,
        "retry_after": "", "edition": 1}


class Record:
    """Every request with its times; all access under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.random = random.Random(7)
        self.reset()

    def reset(self):
        self.arrivals = []
        self.ends = []
        self.good = {}
        self.statuses = {}

    def arrive(self):
        with self.lock:
            self.arrivals.append(time.monotonic())

    def end(self, article, status):
        with self.lock:
            self.ends.append(time.monotonic())
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 200:
                self.good[article] = self.good.get(article, 0) + 1

    def stats(self):
        with self.lock:
            arrivals, ends = sorted(self.arrivals), sorted(self.ends)
            most, first = 0, 0
            for last, at in enumerate(arrivals):
                while arrivals[first] <= at - 1.0:
                    first += 1
                most = max(most, last - first + 1)
            # An end counts before an arrival of the same moment.
            steps = sorted([(at, 1) for at in arrivals] + [(at, -1) for at in ends])
            running = most_running = 0
            for _, step in steps:
                running += step
                most_running = max(most_running, running)
            return {
                "requests": len(arrivals), "most_per_second": most, "most_running": most_running,
                "running": running, "articles": len(self.good),
                "most_per_article": max(self.good.values(), default=0),
                "statuses": {str(key): value for key, value in self.statuses.items()},
                "span": arrivals[-1] - arrivals[0] if arrivals else 0.0,
            }


RECORD = Record()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "articles/1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        words = parts.path.split("/")
        try:
            if words[1] == "items":
                self.item(words[-1].rsplit(":", 1)[-1])
            elif words[1] == "control":
                for name, value in urllib.parse.parse_qsl(parts.query):
                    MODE[name] = type(MODE[name])(value)
                self.answer(200, json.dumps(MODE))
            elif words[1] == "stats":
                text = json.dumps(RECORD.stats())
                if "reset" in parts.query:
                    with RECORD.lock:
                        RECORD.reset()
                self.answer(200, text)
            elif words[1] == "is" and words[2] in KINDS:
                KINDS[words[2]](self, words[3:])
            else:
                self.answer(404, "{}")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status, text, headers=()):
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def item(self, article):
        RECORD.arrive()
        with RECORD.lock:
            dice, stall = RECORD.random.random(), RECORD.random.random() < MODE["stall_share"]
        status = 200
        if dice < MODE["error_share"]:
            status = MODE["error_status"]
        elif dice < MODE["error_share"] + MODE["missing_share"]:
            status = 404
        if stall:
            time.sleep(MODE["stall"])
        headers = []
        if MODE["retry_after"] and status in (429, 503):
            headers.append(("Retry-After", MODE["retry_after"]))
        text = json.dumps({
            "title": "Article %s, edition %d" % (article, MODE["edition"]), "kicker": "Kicker " + article,
            "display_date": "2024-07-24T21:58:20+02:00",
        }) if status == 200 else "{}"
        # Before the answer goes out: who has it may send the next request at once.
        RECORD.end(article, status)
        self.answer(status, text, headers)

    def raw(self, *pieces):
        for piece in pieces:
            self.wfile.write(piece)
        self.wfile.flush()


def status(handler, words):
    headers = [("Retry-After", urllib.parse.unquote(words[1]))] if len(words) > 1 else []
    handler.answer(int(words[0]), '{"title":"of a status"}', headers)


def redirect(handler, words):
    handler.answer(302, "{}", [("Location", urllib.parse.unquote("/".join(words)))])


def bomb(handler, _):
    """A few KB that become 64 MiB."""
    body = gzip.compress(b" " * (64 << 20), 9)
    handler.answer(200, body, [("Content-Encoding", "gzip")])


def zipped(handler, _):
    handler.answer(200, gzip.compress(b'{"title":"unpacked"}'), [("Content-Encoding", "gzip")])


def headers(handler, _):
    """Header lines without end."""
    handler.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.raw(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def hints(handler, _):
    """Answers that say that the answer follows, without end."""
    while True:
        handler.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


def forever(handler, _):
    """A body without end, as fast as it is read."""
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.raw(b" " * 4096)


def drip(handler, _):
    """A byte now and then, without end."""
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.raw(b" ")
        time.sleep(0.05)


def stall(handler, _):
    """Nothing, until the client goes."""
    handler.connection.settimeout(60)
    handler.connection.recv(1)
    handler.close_connection = True


def late(handler, words):
    time.sleep(float(words[0]))
    handler.answer(200, '{"title":"late"}')


def close(handler, _):
    handler.close_connection = True


def short(handler, _):
    """Less than was announced."""
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"title\":\"half")
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def garbage(handler, _):
    handler.raw(b"\x00\xff 220 smtp.example.org ESMTP\r\n\r\n")
    handler.close_connection = True


def large(handler, words):
    """A body of so many bytes, announced."""
    handler.answer(200, b" " * int(words[0]))


def echo(handler, _):
    """The request's own lines."""
    lines = {name.lower(): value for name, value in handler.headers.items()}
    handler.answer(200, json.dumps({"path": handler.path, "headers": lines}))


KINDS = {"status": status, "redirect": redirect, "bomb": bomb, "zipped": zipped, "headers": headers, "hints": hints,
         "forever": forever, "drip": drip, "stall": stall, "late": late, "close": close, "short": short, "garbage": garbage,
         "large": large, "echo": echo}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class Server6(Server):
    address_family = socket.AF_INET6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    kind = Server6 if ":" in options.host else Server
    server = kind((options.host, options.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = "[%s]" % options.host if ":" in options.host else options.host
    print("http://%s:%d" % (host, server.server_address[1]), flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
