"""Starts and ends the processes of a run, so that none outlives it."""

import os
import signal
import subprocess
import sys
import time

from reaper import start_time

KILL_SECONDS = 10.0  # a process ends at once by SIGKILL unless the machine is very busy
POLL_SECONDS = 0.02

HERE = os.path.dirname(os.path.abspath(__file__))


class Trouble(Exception):
    """The harness cannot go on; a sentence that says why. Never a verdict on the coordinator."""


def until(test, seconds, what):
    """The first true value of `test()`; `Trouble` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Trouble("waited %g s in vain until %s" % (seconds, what))
        time.sleep(POLL_SECONDS)


class Processes:
    """Everything that a run has started, told to a reaper that outlives the harness."""

    def __init__(self, folder):
        self.folder = folder
        self.live = {}
        self.reaper = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "reaper.py")], stdin=subprocess.PIPE,
            start_new_session=True)

    def _tell(self, line):
        try:
            self.reaper.stdin.write(line.encode() + b"\n")
            self.reaper.stdin.flush()
        except OSError as error:
            raise Trouble("the reaper is gone: %s" % error)

    def adopt(self, child):
        """From now on the child ends with the run. The pids are also in a file, for a person."""
        self._tell("+%d %s" % (child.pid, start_time(child.pid) or "0"))
        self.live[child.pid] = child
        self._save()

    def forget(self, child):
        if self.live.pop(child.pid, None):
            self._tell("-%d" % child.pid)
            self._save()

    def _save(self):
        path = os.path.join(self.folder, "pids")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.writelines("%d\n" % pid for pid in self.live)
        os.replace(path + ".new", path)

    def start(self, words, log, environment=None, stdin=subprocess.DEVNULL, stdout=None):
        """A session of its own: a Ctrl-C at the caller's terminal is for the harness alone."""
        with open(log, "ab") as file:
            child = subprocess.Popen(
                words, stdin=stdin, stdout=stdout or file, stderr=file, start_new_session=True,
                env=dict(os.environ) if environment is None else environment)
        self.adopt(child)
        return child

    def kill(self, child):
        """SIGKILL works on a paused process as well. Gives the exit code."""
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
        code = child.wait(KILL_SECONDS)
        self.forget(child)
        return code

    def end_all(self):
        for child in list(self.live.values()):
            try:
                self.kill(child)
            except (OSError, subprocess.TimeoutExpired) as error:
                print("chaos: process %d does not end: %s" % (child.pid, error), file=sys.stderr)
        try:
            self.reaper.stdin.close()
            self.reaper.wait(KILL_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            pass  # it ends with its input; nothing of the run is left to it
