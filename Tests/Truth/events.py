"""Reads events for `truth.py`: ndjson and web-server logs, as the project's semantics define them.

Written from the text of the semantics, not from the Swift sources: where both agree, neither has
copied the other's mistake. Python's standard library only.
"""

import gzip
import hashlib
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes

FIELD_LIMIT = 2048
FUTURE_TOLERANCE = 300_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

ORIGINAL_SITES = {"www.rtl.lu": "RTL", "5minutes.rtl.lu": "5MINUTES", "today.rtl.lu": "TODAY",
                  "www.eldo.lu": "ELDO"}

ASSETS = set("css js map png jpg jpeg gif svg ico webp avif woff woff2 ttf mp3 mp4 webm pdf zip gz"
             " xml txt json".split())


class Refused(Exception):
    """An event that is not counted; its one argument is the reason."""


def sha1(text):
    return hashlib.sha1(text.encode("utf-8", "surrogateescape")).hexdigest()


# Addresses

SCHEME = re.compile(r"(?i)https?://")
PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def plain_percent(match):
    character = chr(int(match.group(1), 16))
    return character if character in UNRESERVED else match.group(0).upper()


def normal_path(path):
    before = None
    while path != before:  # decoding may bring a new %xx to light: twice must change nothing
        before, path = path, PERCENT.sub(plain_percent, path)
    path = re.sub("/+", "/", path or "/")
    kept = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in (".", ""):
            kept.append(segment)
    return "/" + "/".join(kept)


def kept_query(query, keys):
    pairs = [pair for pair in query.split("&") if pair.split("=", 1)[0] in keys]
    pairs.sort(key=lambda pair: pair.split("=", 1)[0])
    return "?" + "&".join(pairs) if pairs else ""


class Pages:
    """From an address to (website, section, page), each as (id, name)."""

    def __init__(self, sites):
        self.hosts = sites.get("hosts", {})
        self.keep_query = sites.get("keepQuery", {})
        self.cache = {}

    def resolve(self, url):
        found = self.cache.get(url)
        if found is None:
            found = self.cache[url] = self._resolve(url)
        return found

    def _resolve(self, url):
        scheme = SCHEME.match(url)
        if not scheme:
            raise Refused("url")
        rest = url[scheme.end():].split("#", 1)[0]
        rest, _, query = rest.partition("?")
        authority, slash, path = rest.partition("/")
        host, port = self._host(authority)
        website = self.hosts.get(host) or self.hosts.get("*")
        if not website:
            website = (host[4:] if host.startswith("www.") else host).upper()
        path = normal_path(slash + path)
        address = host + port + path + kept_query(query, self.keep_query.get(website, ()))
        levels = self._levels(path)
        if not levels:
            section = "(home)"
        else:
            section = "/".join(levels[:2]) if len(levels) >= 3 else levels[0]
        return ((sha1(website), website), (sha1(website + "/" + section), section),
                (sha1(address), address))

    @staticmethod
    def _host(authority):
        authority = authority.rpartition("@")[2]
        match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?", authority)
        if not match:
            raise Refused("url")
        host = match.group(1).lower().rstrip(".")
        if not host:
            raise Refused("url")
        port = int(match.group(2) or 80)  # a number: 080 is 80
        if port > 65535:
            raise Refused("url")
        return host, "" if port in (80, 443) else ":%d" % port

    @staticmethod
    def _levels(path):
        if path == "/":
            return []
        levels = [unquote_to_bytes(part).decode("utf-8", "replace") for part in path.split("/")[1:]]
        dot = levels[-1].find(".")
        if dot > 0:
            levels[-1] = levels[-1][:dot]
        return levels


# Times

ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
                 r"(?:([Zz])|([+-])(\d\d):?(\d\d))")


def milliseconds(moment):
    return (moment - EPOCH) // timedelta(milliseconds=1)


def readable_time(text):
    """ms since 1970, or None when `text` is no time."""
    if re.fullmatch("-?[0-9]+", text):
        return int(text) if abs(int(text)) < 1 << 63 else None
    match = ISO.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    offset = timedelta()
    if match.group(9):
        offset = timedelta(hours=int(match.group(10)), minutes=int(match.group(11)))
        offset = -offset if match.group(9) == "-" else offset
    try:
        # Second 60, a leap second, is the one after 59.
        moment = datetime(year, month, day, hour, minute, min(second, 59 + (second > 60)),
                          tzinfo=timezone.utc)
        return milliseconds(moment) + 1000 * (second == 60) - offset // timedelta(milliseconds=1) \
            + int(((match.group(7) or "") + "000")[:3])
    except (ValueError, OverflowError):
        return None


# Sources: each yields (url, device, time) as bytes or None, or the reason why a line is left out.

def open_lines(path):
    if path == "-":
        return sys.stdin.buffer
    return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")


def field(record, name):
    value = record.get(name)
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogateescape")


def ndjson_line(line, _):
    try:
        record = json.loads(line.decode("utf-8", "surrogateescape"))
    except ValueError:
        return "unreadable"
    if not isinstance(record, dict):
        return "unreadable"
    return (field(record, "url"), field(record, "uui"), field(record, "dt"),
            field(record, "kind"), field(record, "id"))


QUOTED = rb'"((?:[^"\\]|\\.)*)"'
LOG = re.compile(rb'(?:(\S+?)(?::\d+)? )??(\S+) \S+ \S+ \[([^\]]+)\] ' + QUOTED
                 + rb' (\d{3}) (?:\d+|-)(?: ' + QUOTED + rb' ' + QUOTED + rb')?\s*')
ESCAPE = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|(.))')
LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f"}


def unescape(text):
    """Undoes what a server writes for quotes, backslashes and control bytes."""
    if b"\\" not in text:
        return text
    return ESCAPE.sub(lambda m: bytes([int(m.group(1), 16)]) if m.group(1)
                      else LETTERS.get(m.group(2), m.group(2)), text)


def log_line(line, options):
    match = LOG.fullmatch(line.rstrip(b"\r\n"))
    if not match:
        return "unreadable"
    host, address, stamp, request, status, _, agent = match.groups()
    words = unescape(request).split(b" ")
    if len(words) < 2:
        return "unreadable"
    method, target = words[0], b" ".join(words[1:-1] if len(words) > 2 else words[1:])
    try:
        moment = datetime.strptime(stamp.decode(), "%d/%b/%Y:%H:%M:%S %z")
    except ValueError:
        return "unreadable"
    time = b"%d" % milliseconds(moment)
    if options.count == "pages":
        if method != b"GET":
            return "method", time
        if not (status.startswith(b"2") or status == b"304"):
            return "status", time
        name = re.split(rb"[?#]", target)[0].rpartition(b"/")[2]
        if name.rpartition(b".")[1] and name.rpartition(b".")[2].lower().decode("latin-1") in ASSETS:
            return "asset", time
    if re.match(rb"(?i)https?://", target):
        url = target
    else:
        name = host or (options.host or "").encode()
        if not name:
            raise SystemExit("truth.py: the log has no host: give --host")
        url = b"http://" + name + target
    device = address if options.device == "address" else \
        hashlib.sha1(address + b" " + unescape(agent or b"")).hexdigest().encode()
    return url, device, time


class Reader:
    """Events of files as (time, device or None, {dimension: (id, name)}); counts what it sees."""

    def __init__(self, options, longest_keep):
        self.options = options
        self.longest_keep = longest_keep
        self.pages = Pages(options.sites)
        self.read = self.counted = 0
        self.refused, self.left_out = {}, {}

    def events(self, path):
        latest = 1  # an entry's id, and so its arrival: the latest event time of the file so far
        with open_lines(path) as lines:
            parse = None
            for line in lines:
                if not line.strip():
                    continue
                parse = parse or (ndjson_line if line.lstrip().startswith(b"{") else log_line)
                parts = parse(line, self.options)
                if isinstance(parts, str) or len(parts) == 2:  # why it is left out, and when
                    reason = parts if isinstance(parts, str) else parts[0]
                    self.left_out[reason] = self.left_out.get(reason, 0) + 1
                    if not isinstance(parts, str):
                        latest = max(latest, int(parts[1]))
                    continue
                self.read += 1
                latest = max(latest, self._own_time(parts[2]) or 0)
                try:
                    event = self._judge(*parts, arrival=latest)
                except Refused as refusal:
                    reason = refusal.args[0]
                    self.refused[reason] = self.refused.get(reason, 0) + 1
                    continue
                self.counted += 1
                yield event

    @staticmethod
    def _own_time(time):
        try:
            return readable_time(time.decode()) if time and len(time) <= FIELD_LIMIT else None
        except UnicodeDecodeError:
            return None

    def _judge(self, url, device, time, kind=None, item=None, arrival=0):
        if kind:
            return self._judge_play(device, time, kind, item, arrival)
        if not url or len(url) > FIELD_LIMIT:
            raise Refused("url")
        if any(len(part) > FIELD_LIMIT for part in (device, time) if part):
            raise Refused("size")
        try:
            url, device, time = (part.decode() if part else None for part in (url, device, time))
        except UnicodeDecodeError:
            raise Refused("encoding")
        website, section, page = self.pages.resolve(url)
        return (self._moment(time, arrival), None if device == "null" else device,
                {"W": website, "S": section, "P": page})

    def _judge_play(self, device, time, kind, item, arrival):
        dimension = {b"audio": "A", b"video": "V", b"podcast": "PC"}.get(kind)
        if not dimension:
            raise Refused("kind")
        if not item:
            raise Refused("id")
        if any(len(part) > FIELD_LIMIT for part in (device, time, item) if part):
            raise Refused("size")
        try:
            device, time, item = (part.decode() if part else None for part in (device, time, item))
        except UnicodeDecodeError:
            raise Refused("encoding")
        return (self._moment(time, arrival), None if device == "null" else device,
                {dimension: (sha1(item), item)})

    def _moment(self, time, arrival):
        moment = arrival if time is None else readable_time(time)
        if moment is None or moment > arrival + FUTURE_TOLERANCE:
            raise Refused("time")
        if moment < arrival - self.longest_keep:
            raise Refused("expired")
        return moment
