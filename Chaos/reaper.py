#!/usr/bin/env python3
"""Ends what a run has started when its harness is gone, however that ended.

A harness that is killed cannot clean up. This process reads lines from it, `+PID START` for each
process begun and `-PID` for each that ended, and at the end of its input kills those still there.
START is the start time in /proc: a pid that was given to somebody else is left alone.
"""

import os
import signal
import sys


def start_time(pid):
    """When the process began, in clock ticks since boot, as text; None when there is none."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            # The command's name is in parentheses and may hold spaces: count from behind it.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def main():
    # A Ctrl-C at the terminal is for the harness, which then closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    known = {}
    for line in sys.stdin:
        words = line.split()
        if line.startswith("+"):
            known[int(words[0][1:])] = words[1]
        else:
            known.pop(int(words[0][1:]), None)
    for pid, start in known.items():
        if start_time(pid) == start:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
