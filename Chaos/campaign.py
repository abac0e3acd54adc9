"""One run: a stage, its faults one after the other, the verdict, the report."""

import os
import shutil
import sys
import tempfile
import time

from processes import Trouble
from report import write_report
from stage import Stage, Stuck
from verdict import Judge


class Event:
    """What became of one fault."""

    def __init__(self, step):
        self.step, self.name = step, step.fault.name
        self.begin = self.healing = self.end = None
        self.target, self.effect, self.skipped, self.trouble = "", None, None, None
        self.settled_seconds = None  # from the end of the healing
        self.takeover_seconds = None  # from the begin to the next `elected`
        self.owned_seconds = None  # from the begin until all shards were owned by live nodes


class Campaign:
    """Runs the steps given against a new deployment."""

    def __init__(self, settings, seed, steps, seconds=None):
        self.settings, self.seed, self.steps, self.seconds = settings, seed, steps, seconds
        self.events, self.verdict, self.stage, self.stuck = [], None, None, None
        self.ended = None

    def say(self, text):
        if not self.settings.quiet:
            print("%7.1f  %s" % (time.time() - self.stage.begun, text), file=sys.stderr, flush=True)

    def run(self, report_folder):
        parent = self.settings.dir
        if parent:
            os.makedirs(parent, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="run-", dir=parent)
        settings = self.settings
        self.stage = Stage(folder, settings.program, settings.nodes, settings.rate, self.seed)
        good = False
        try:
            self.stage.begin()
            self.say("seed %s, %d nodes, %g events/s, %s" % (
                self.seed, settings.nodes, settings.rate, folder))
            self.inject_all()
            self.say("judging")
            judge = Judge(self.stage, [event.step.fault for event in self.events])
            self.verdict = judge.judge()
            if self.stuck:
                self.verdict.check(False, "recovery", self.stuck)
            self.ended = time.time()
            self.measure()
            write_report(self, report_folder)
            good = self.verdict.is_good
            return good
        finally:
            keep = not good or settings.keep
            if keep and self.stage.watch:
                self.stage.watch.save(os.path.join(folder, "looks.log"))
                keep_logs(folder, report_folder)
            self.stage.end(keep or bool(parent))

    def inject_all(self):
        ends = None if self.seconds is None else time.monotonic() + self.seconds
        for step in self.steps:
            if ends is not None and time.monotonic() + step.gap > ends:
                break
            time.sleep(step.gap)  # from the seed: part of the schedule, waits for nothing
            event = Event(step)
            self.events.append(event)
            try:
                self.inject(step, event)
            except Stuck as stuck:
                # Nothing more can be learnt from further faults; what is there is judged.
                self.stuck = "after fault %d (%s): %s" % (step.number, step.fault.name, stuck)
                self.say(self.stuck)
                return

    def inject(self, step, event):
        fault = step.fault(self.stage, step.random(), step.hold)
        event.skipped = fault.why_not()
        if event.skipped:
            self.say("%3d %-18s skipped: %s" % (step.number, fault.name, event.skipped))
            return
        event.begin = time.time()
        try:
            fault.inject()
            self.stage.note_servers()
            time.sleep(step.hold)  # the fault's own duration, from the seed
            event.healing = time.time()
            fault.heal()
        except (Trouble, OSError) as error:
            # The harness's own failure: said so, healed whole, and never counted as a verdict.
            event.trouble = "%s: %s" % (type(error).__name__, error)
            self.stage.heal_all()
            self.stage.cluster.wait_ready(60.0)
        event.end = time.time()
        self.stage.note_servers()
        event.healing = event.healing or event.end
        event.target, event.effect = fault.target, fault.effect
        event.settled_seconds = self.stage.wait_settled(event.end)
        self.say("%3d %-18s %-28s %s; settled in %.1f s%s" % (
            step.number, fault.name, event.target, event.effect or "NO EFFECT",
            event.settled_seconds, "; TROUBLE " + event.trouble if event.trouble else ""))

    def redis_version(self):
        node = self.stage.cluster.nodes[0]
        info = self.stage.cluster.ask(node, "INFO", "server").decode()
        return next("Redis " + line.split(":", 1)[1].strip() for line in info.splitlines()
                    if line.startswith("redis_version:"))

    def measure(self):
        """Take-over times, from the nodes' logs and from the looks at `status`."""
        leaders = self.stage.watch.leaders()
        for event in self.events:
            if event.begin is None:
                continue
            if event.step.fault.hits_leader:
                after = [at for at, _, _ in leaders if at >= event.begin]
                event.takeover_seconds = after[0] - event.begin if after else None
            disturbed = False
            for look in self.stage.watch.looks:
                if look.at < event.begin:
                    continue
                if not look.settled:
                    disturbed = True
                elif disturbed:
                    event.owned_seconds = look.at - event.begin
                    break
                if event.settled_seconds is not None \
                        and look.at > event.end + event.settled_seconds:
                    break


def keep_logs(folder, report_folder):
    """The logs of a bad run, beside its report: its folder may be gone tomorrow."""
    target = os.path.join(report_folder, "logs")
    os.makedirs(target, exist_ok=True)
    for base, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".log") or name == "log":
                label = os.path.relpath(os.path.join(base, name), folder).replace(os.sep, "-")
                shutil.copy(os.path.join(base, name), os.path.join(target, label))
