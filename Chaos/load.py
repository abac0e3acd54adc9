"""Seeded page views, written into the tracker stream with a client of the harness's own."""

import random
import threading
import time

from wire import ClusterClient, GaveUp, Refused, Unknown

SOURCE = "ST:TRACKER::::"
SITES = ("www.rtl.lu", "today.rtl.lu", "5minutes.rtl.lu", "www.eldo.lu")
PAGES, DEVICES = 60, 400

# Of every hundred events: what a publisher's trackers send that is not plain.
LATE_PERCENT, VERY_LATE_PERCENT, MALFORMED_PERCENT, NO_DEVICE_PERCENT = 12, 2, 3, 3
# Within the tiers' reach, beyond the grace: these must be folded into sealed windows.
LATE_MS, VERY_LATE_MS = (500, 5_000), (10_000, 25_000)
FUTURE_MS = 3_600_000  # more than the five minutes that are allowed

# One event at most waits so long; then it is written down as never accepted and the next is tried.
EVENT_SECONDS = 60.0
STOP_SECONDS = 90.0  # the event under way, and its reply


class Sent:
    """What is known of one event."""

    __slots__ = ("number", "at", "entry", "outcome")

    def __init__(self, number, at):
        self.number, self.at, self.entry, self.outcome = number, at, None, None


class Load(threading.Thread):
    """Writes `rate` events a second until it is stopped; each is a page and a device of its own."""

    def __init__(self, seeds, seed, rate):
        super().__init__(name="load", daemon=True)
        self.client = ClusterClient(seeds)
        self.random = random.Random("load %s" % seed)
        self.rate = rate
        self.order = list(range(PAGES * DEVICES))
        self.random.shuffle(self.order)
        self.sent = []
        self.stopping = threading.Event()
        self.failure = None

    def fields(self, number):
        """The entry of one event. `n` names it: it tells which event an entry of the stream is."""
        combination = self.order[number % len(self.order)]
        page, device = combination % PAGES, combination // PAGES
        round_ = number // len(self.order)
        url = "http://%s/section%d/part%d/%d.html" % (
            SITES[page % len(SITES)], page % 7, page % 3, page)
        device = "device-%d-%d" % (device, round_)
        roll, now = self.random.randrange(100), int(time.time() * 1000)
        if roll < LATE_PERCENT:
            now -= self.random.randint(*LATE_MS)
        elif roll < LATE_PERCENT + VERY_LATE_PERCENT:
            now -= self.random.randint(*VERY_LATE_MS)
        parts = ["url", url, "uui", device, "dt", str(now), "n", str(number)]
        roll = self.random.randrange(100)
        if roll < MALFORMED_PERCENT:
            return self.random.choice((
                parts[2:],
                ["url", "ftp://example.org/file"] + parts[2:],
                ["url", "http:///nowhere"] + parts[2:],
                parts[:5] + ["yesterday"] + parts[6:],
                parts[:5] + [str(now + FUTURE_MS)] + parts[6:],
                ["url", url + "a" * 2100] + parts[2:],
                ["url", url, "uui", "d" * 3000] + parts[4:]))
        if roll < MALFORMED_PERCENT + NO_DEVICE_PERCENT:
            return self.random.choice((parts[:2] + parts[4:], parts[:3] + ["null"] + parts[4:]))
        return parts

    def run(self):
        next_at = time.monotonic()
        while not self.stopping.is_set():
            next_at = max(next_at + 1 / self.rate, time.monotonic() - 1)  # no burst after a fault
            self.stopping.wait(max(0.0, next_at - time.monotonic()))
            event = Sent(len(self.sent), time.time())
            self.sent.append(event)
            words = ["XADD", SOURCE, "*"] + self.fields(event.number)
            try:
                event.entry = self.client.call(SOURCE, words, EVENT_SECONDS).decode()
                event.outcome = "acknowledged"
            except Unknown:
                event.outcome = "unknown"
            except GaveUp:
                event.outcome = "never accepted"
            except Refused as error:
                event.outcome = "never accepted"
                self.failure = self.failure or "XADD was refused: %s" % error
        self.client.close()

    def stop(self):
        self.stopping.set()
        self.join(STOP_SECONDS)
        if self.is_alive():
            self.failure = "the load did not end within %g s" % STOP_SECONDS
