"""A deployment for the dashboard's tests and for its picture: nodes, an article API, page views.

Everything listens on the loopback, on free ports. What this starts, it ends.
"""

import http.server
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ArticleAPI"))
import api  # noqa: E402  (the folder has to be known first)

STREAM = "ST:TRACKER::::"
SITES = {"news.example.org": "NEWS", "sport.example.org": "SPORT", "radio.example.org": "RADIO",
         "today.example.org": "TODAY"}
SECTIONS = {
    "news.example.org": ["politics/europe", "politics/city", "economy/work", "weather/sea", "culture/stage"],
    "sport.example.org": ["football/cup", "cycling/tour", "tennis/open"],
    "radio.example.org": ["shows/morning", "music/new"],
    "today.example.org": ["world/asia", "living/food", "science/space"],
}
SUBJECTS = ["The city council", "Parliament", "A ferry in the fog", "The new tram line", "A village choir",
            "The harvest", "An old bridge", "The finance minister", "A night train", "The lighthouse",
            "A school kitchen", "The cup final", "A young cyclist", "The opera house", "A rare comet"]
DEEDS = ["opens its doors at last", "divides the parties", "draws a record crowd", "costs more than planned",
         "returns after thirty years", "is saved by its neighbours", "wins in the last minute",
         "waits for spring", "learns to be quiet", "surprises everybody"]


class Wrong(Exception):
    """What was expected and did not come: a sentence."""


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")


def until(what, holds, seconds=60):
    """What `holds` answers as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = holds()
            if found:
                return found
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.02)
    raise Wrong("not within %g s: %s" % (seconds, what))


def headline(article):
    """The same title for a number at every run."""
    draw = random.Random(article)
    return "%s %s" % (draw.choice(SUBJECTS), draw.choice(DEEDS))


class Articles(api.Handler):
    """The tests' article API with headlines, and for some articles with what the test wants."""

    titles = {}

    def item(self, article):
        kicker = random.Random("k" + article).choice(["Report", "Analysis", "Interview", "Live"])
        self.answer(200, json.dumps({
            "title": self.titles.get(article) or headline(article), "kicker": kicker,
            "display_date": "2026-07-24T21:58:20+02:00"}))


class Feed(threading.Thread):
    """Page views straight to the stream's master, until it is told to stop."""

    def __init__(self, seeds, views, pause):
        super().__init__(daemon=True)
        self.seeds = [urllib.parse.urlparse(seed) for seed in seeds.split(",")]
        self.views, self.pause, self.ended = views, pause, threading.Event()

    def run(self):
        wires = [socket.create_connection((seed.hostname, seed.port)) for seed in self.seeds]
        wire = 0
        for view in self.views:
            if self.ended.wait(self.pause):
                return
            words = ["XADD", STREAM, "*"] + [str(word) for pair in view.items() for word in pair]
            data = b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words)
            for _ in wires:
                wires[wire].sendall(data)
                if not wires[wire].recv(4096).startswith(b"-"):
                    break
                wire = (wire + 1) % len(wires)


class Visits:
    """Seeded page views of a small publisher: some pages are read much more than others."""

    def __init__(self, pages=120, devices=2000, seed=5):
        self.random = random.Random(seed)
        hosts = list(SITES)
        self.pages = []
        for number in range(pages):
            host = self.random.choices(hosts, [8, 4, 2, 5])[0]
            section = self.random.choice(SECTIONS[host])
            self.pages.append("https://%s/%s/a/%d.html" % (host, section, 1250000 + number))
        # The homepages of publishers are read most.
        self.pages[2:2] = ["https://%s/" % host for host in hosts[:2]]
        self.weights = [1 / (2 + place) for place in range(len(self.pages))]
        self.devices = devices

    def view(self, at=None):
        view = {"url": self.random.choices(self.pages, self.weights)[0],
                "uui": "d%d" % self.random.randrange(self.devices)}
        if at is not None:
            view["dt"] = at
        if self.random.random() < 0.012:
            view["url"] = self.random.choice(["nonsense", "https://"])
        elif self.random.random() < 0.004 and at is not None:
            view["dt"] = at + 30 * 86_400_000
        return view

    def past(self, count, hours, now):
        """Page views up to now, more of them lately and by a slow wave, in the order of time."""
        ages = sorted((self.random.triangular(0, 1, 0.15) ** 1.6 for _ in range(count)), reverse=True)
        return [self.view(int(now - age * hours * 3_600_000)) for age in ages]

    def endless(self):
        while True:
            yield self.view()


class Node:
    """One `coordinator run`; it can be ended and started again at the same port."""

    def __init__(self, stage, name, options, port=0):
        self.stage, self.name, self.options = stage, name, options
        self.log = stage.path("node-%d.log" % len(stage.nodes))
        with open(self.log, "a", encoding="utf-8") as log:
            # Lines of an earlier start are not read again.
            self.begin = log.tell()
            self.child = subprocess.Popen(
                [stage.program, "run", "--node-name", name, "--http", "127.0.0.1:%d" % port, *options],
                env=stage.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stage.children.append(self.child)
        self.port = int(until("%s listens" % name, self._port))

    def _port(self):
        if self.child.poll() is not None:
            raise Wrong("%s ended: see %s" % (self.name, self.log))
        with open(self.log, encoding="utf-8") as log:
            log.seek(self.begin)
            found = re.search(r"event=listening for=http address=\"?127.0.0.1:(\d+)", log.read())
        return found and found.group(1)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def status(self):
        return get(self.url + "/status")

    @property
    def leads(self):
        try:
            with urllib.request.urlopen(self.url + "/leader", timeout=5) as answer:
                return answer.status == 200
        except urllib.error.URLError:
            return False

    def kill(self):
        """As a crash ends it; the moment, in seconds since 1970."""
        at = time.time()
        self.child.kill()
        self.child.wait()
        return at

    def again(self):
        return Node(self.stage, self.name, self.options, self.port)


class Stage:
    """All of it, in a folder."""

    def __init__(self, program, seeds, folder):
        self.program, self.seeds, self.folder = os.path.abspath(program), seeds, folder
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("COORDINATOR_", "REDIS"))}
        self.environment["COORDINATOR_REDIS_URL"] = seeds
        self.nodes, self.children, self.feeds = [], [], []
        self.api = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *words, **more):
        done = subprocess.run([self.program, *words], env=self.environment, text=True, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300, **more)
        if done.returncode:
            raise Wrong("coordinator %s: %d %s" % (" ".join(words), done.returncode, done.stderr))
        return done.stdout

    def initialise(self, *options, sites=None):
        with open(self.path("sites.json"), "w", encoding="utf-8") as file:
            json.dump({"hosts": sites or SITES}, file)
        self.command("init", "--sites", self.path("sites.json"), "--start", "oldest", *options)

    def articles(self, titles=None):
        """Starts the article API and says how a node asks it."""
        Articles.titles = titles or {}
        self.api = api.Server(("127.0.0.1", 0), Articles)
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        return ["--enrich-url", "http://127.0.0.1:%d/items/urn:newstool:article:{article_id}"
                % self.api.server_address[1], "--enrich-allow", "127.0.0.1", "--enrich-allow-private",
                "--enrich-rate", "200"]

    def start(self, name, *options):
        self.nodes.append(Node(self, name, list(options)))
        return self.nodes[-1]

    def bring_in(self, views, name):
        """Imports page views as a file."""
        path = self.path("views-%d.ndjson" % len(os.listdir(self.folder)))
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(view) + "\n" for view in views)
        # The page shows the path as it was given.
        self.command("import", "-q", "--source-name", name, os.path.basename(path), cwd=self.folder)

    def feed(self, views, pause):
        self.feeds.append(Feed(self.seeds, views, pause))
        self.feeds[-1].start()

    def balanced(self, count):
        """The status once that many nodes own everything."""
        def look():
            status = self.nodes[0].status()
            shards = [owner["shards"] for owner in status["shardMap"]["owners"] if owner["shards"]]
            return (len(shards) == count and status["shardMap"]["owned"] == status["shardMap"]["shards"]
                    and status)
        return until("%d nodes own all shards" % count, look)

    def leader(self):
        return until("one leads", lambda: next((
            node for node in self.nodes if node.child.poll() is None and node.leads), None))

    def end(self):
        for feed in self.feeds:
            feed.ended.set()
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
        if self.api:
            self.api.shutdown()
