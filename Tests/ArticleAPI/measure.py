#!/usr/bin/env python3
"""Measures how enrichment recovers from an API that fails and stalls.

Usage: measure.py --program PATH [--pages 3000] [--bad 180]
A cluster of three masters on this machine is started for it with Deploy/cluster, and ended.

Three nodes; half of the API's answers are errors and half come after 5 s; one node is killed; then the API is
well again. Prints how many pages have their metadata how long after that, and the limits seen. What enrichment
costs counting is measured by `coordinator-bench enrich`.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STREAM = "ST:TRACKER::::"


class Wire:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, commands):
        pieces = []
        for words in commands:
            pieces.append(b"*%d\r\n" % len(words))
            for word in words:
                data = word if isinstance(word, bytes) else str(word).encode()
                pieces.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(pieces))
        return [self.reply() for _ in commands]

    def call(self, *words):
        return self.send([words])[0]

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"-":
            return RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest


class Scene:
    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="enrichment-")
        out = subprocess.run([ROOT + "/Deploy/cluster", "start", "--dir", self.folder], check=True,
                             capture_output=True, text=True).stdout
        self.seeds = out.strip().splitlines()[-1]
        self.ports = [int(seed.rsplit(":", 1)[1]) for seed in self.seeds.split(",")]
        self.api = subprocess.Popen([sys.executable, ROOT + "/Tests/ArticleAPI/api.py"], stdout=subprocess.PIPE, text=True)
        self.url = self.api.stdout.readline().strip()
        self.nodes = []

    def close(self):
        for node in self.nodes:
            node.kill()
            node.wait()
        self.api.kill()
        subprocess.run([ROOT + "/Deploy/cluster", "stop", "--dir", self.folder], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words):
        out = subprocess.run([self.program, *words, "--redis-url", self.seeds], check=True, capture_output=True, text=True)
        return out.stdout

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def fresh(self):
        for port in self.ports:
            Wire(port).call("FLUSHALL")
        self.run("init")

    def master(self, key):
        for port in self.ports:
            wire = Wire(port)
            if not isinstance(wire.call("TYPE", key), RuntimeError):
                return wire
        raise RuntimeError("nobody serves " + key)

    def load(self, events, pages):
        wire = self.master(STREAM)
        for start in range(0, events, 5000):
            wire.send([["XADD", STREAM, "*", "url", "http://www.rtl.lu/actu/monde/a/%d.html" % (number % pages),
                        "uui", "device%d" % (number % 9973)] for number in range(start, min(start + 5000, events))])

    def node(self, name, *more):
        words = [self.program, "run", "--node-name", name, "--redis-url", self.seeds, "--enrich-url",
                 self.url + "/items/urn:newstool:article:{article_id}", "--enrich-allow", "127.0.0.1",
                 "--enrich-allow-private", *more]
        node = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=open(self.folder + "/" + name + ".log", "a"))
        self.nodes.append(node)
        return node

    def status(self):
        return json.loads(self.run("enrichment", "status", "-o", "json"))


def recovery(scene, options):
    scene.fresh()
    scene.ask("/control?error_share=0.5&stall_share=0.5&stall=5")
    limits = ["--enrich-rate", "40", "--enrich-concurrency", "16", "--enrich-refresh", "0s", "--lease", "1s"]
    nodes = [scene.node(name, *limits) for name in "abc"]
    scene.load(options.pages, options.pages)
    begun = time.monotonic()
    killed = False
    while time.monotonic() - begun < options.bad:
        time.sleep(5)
        if not killed and time.monotonic() - begun > options.bad / 2:
            nodes[0].kill()
            nodes[0].wait()
            scene.nodes.remove(nodes[0])
            scene.node("d", *limits)
            killed = True
    status = scene.status()
    print("ill for %d s: %d of %d pages, %d put off, %s" % (
        options.bad, status["results"]["found"], options.pages, status["results"]["failed"], scene.ask("/stats")), flush=True)
    scene.ask("/control?error_share=0&stall_share=0")
    begun = time.monotonic()
    while time.monotonic() - begun < 600:
        status = scene.status()
        found = status["results"]["found"]
        print("%4d s after recovery: %d of %d, %.3f %%" % (
            time.monotonic() - begun, found, options.pages, 100.0 * found / options.pages), flush=True)
        if status["queued"] == 0 and status["scheduled"] == 0:
            break
        time.sleep(10)
    documents = titles = 0
    for port in scene.ports:
        wire = Wire(port)
        for key in wire.call("KEYS", "J::P:*"):
            documents += 1
            titles += wire.call("JSON.GET", key, "$.metadata.title") != b"[null]"
    print("documents %d, with title %d, written %d times, given up %d" % (
        documents, titles, status["results"]["found"], status["results"]["givenUp"]))
    print(json.dumps(scene.ask("/stats")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--bad", type=int, default=180)
    options = parser.parse_args()
    scene = Scene(os.path.abspath(options.program))
    try:
        recovery(scene, options)
    finally:
        scene.close()


if __name__ == "__main__":
    main()
