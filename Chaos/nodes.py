"""The coordinator processes of a run, and its other commands."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time

from processes import Trouble

LEASE = "1s"
LEASE_SECONDS = 1.0
# A graceful end has 20 s (its drain timeout): what takes longer does not end by itself.
STOP_SECONDS = 20.0
# A command may wait for masters that are away up to its own --timeout; then it says so.
COMMAND_TIMEOUT = "3s"
COMMAND_SECONDS = 30.0
# Ports of one's own are not known before: the node's HTTP is not used here, and N nodes on one
# address would collide.
NO_HTTP = "off"

FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def fields(line):
    """The name=value parts of one logfmt line."""
    return {name: value.strip('"') for name, value in FIELD.findall(line)}


class Program:
    """The coordinator's binary: what it can do is asked, not assumed."""

    def __init__(self, path, seeds):
        self.path = path
        self.environment = {
            name: value for name, value in os.environ.items()
            # The caller's settings are about another cluster.
            if not name.startswith(("COORDINATOR_", "REDIS", "LD_PRELOAD", "CHAOS_"))}
        self.environment["COORDINATOR_REDIS_URL"] = ",".join(
            "redis://%s:%d" % seed for seed in seeds)
        # A node that comes back gets shards before the next fault, which is to hit them.
        self.environment["COORDINATOR_JOIN_DELAY"] = "1s"
        run_text = self.run("help", "run").stdout
        self.has_http = "--http" in run_text
        # A program without it has one node that works and others that stand by.
        self.shares_work = "--node-ttl" in run_text
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        # Builds between two releases have one number: the digest tells which one was broken.
        number = (self.ask("version") or {}).get("version")
        self.version = "%s (sha256 %s…)" % (number, digest[:16])

    def run(self, *words, seconds=COMMAND_SECONDS, output=subprocess.PIPE):
        try:
            return subprocess.run([self.path] + list(words), env=self.environment, text=True,
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE,
                                  timeout=seconds)
        except subprocess.TimeoutExpired:
            # Its own deadline is shorter: not to keep it is a failure of the program.
            return subprocess.CompletedProcess(
                words, -1, "", "`%s` had not ended after %g s" % (" ".join(words), seconds))

    def must(self, *words, seconds=COMMAND_SECONDS):
        result = self.run(*words, seconds=seconds)
        if result.returncode:
            raise Trouble("`coordinator %s` ended with %d: %s" % (
                " ".join(words), result.returncode, result.stderr.strip()[-500:]))
        return result.stdout

    def ask(self, *words):
        """The JSON of a command; None where it failed."""
        result = self.run(*words, "-o", "json", "--timeout", COMMAND_TIMEOUT)
        if result.returncode not in (0, 5, 6):
            return None
        try:
            return json.loads(result.stdout)
        except ValueError:
            return None


class Node:
    """One `coordinator run`, started again under the same name after each end."""

    def __init__(self, name, program, processes, folder):
        self.name, self.program, self.processes = name, program, processes
        self.log = os.path.join(folder, name + ".log")
        self.child, self.is_paused, self.wanted = None, False, False
        self.ends = []  # (time, exit code, whether the harness caused it)
        self.pauses = []  # [begin, end]

    def start(self):
        words = [self.program.path, "run", "--node-name", self.name, "--lease", LEASE]
        if self.program.has_http:
            words += ["--http", NO_HTTP]
        self.child = self.processes.start(words, self.log, self.program.environment)
        self.is_paused, self.wanted = False, True

    @property
    def is_alive(self):
        return self.child is not None and self.child.poll() is None

    @property
    def works(self):
        return self.is_alive and not self.is_paused

    @property
    def identity(self):
        """The id of its latest incarnation, from its log: `n1/2b7a6f1a`."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as lines:
                ids = [fields(line).get("id") for line in lines if " event=started " in line]
        except OSError:
            return None
        return ids[-1] if ids else None

    def kill(self):
        self.wanted = False
        self.ends.append((time.time(), self.processes.kill(self.child), True))

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)
        self.is_paused = True
        self.pauses.append([time.time(), time.time()])

    def resume(self):
        self.child.send_signal(signal.SIGCONT)
        self.is_paused = False
        self.pauses[-1][1] = time.time()

    def ask_to_end(self):
        self.wanted = False
        self.child.send_signal(signal.SIGTERM)

    def wait_for_end(self):
        """The exit code of a graceful end; None when it had to be killed."""
        try:
            code = self.child.wait(STOP_SECONDS)
            self.processes.forget(self.child)
        except subprocess.TimeoutExpired:
            self.processes.kill(self.child)
            code = None
        self.ends.append((time.time(), code, code == 0))
        return code

    def note_unwanted_end(self):
        """Whether it has ended although nobody asked it to; it is started again then."""
        if not self.wanted or self.is_alive:
            return False
        self.processes.forget(self.child)
        self.ends.append((time.time(), self.child.returncode, False))
        self.start()
        return True

    def events(self):
        """(seconds since 1970, event, fields) of every line of its log."""
        from watch import seconds_of
        try:
            with open(self.log, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.startswith("time="):
                        parts = fields(line)
                        yield seconds_of(parts["time"]), parts.get("event", ""), parts
        except OSError:
            return
