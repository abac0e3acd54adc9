#!/usr/bin/env python3
"""Presses the tab key in a real shell, and tells what stands on the command line then.

    complete.py bash|zsh|fish PROGRAM FOLDER LINE…

The shell runs on a terminal of its own, in FOLDER, with PROGRAM's own completion script and nobody's
settings. For each LINE, a JSON line: {"line", "buffer", "listed"}: the line after one tab, and what
the shell lists after another. Python's standard library only.
"""

import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

DEADLINE = 20.0
QUIET = 0.15  # a shell that says nothing for so long has drawn all of it
DONE = "\x07"  # Ctrl-G shows the line, between marks
KILL = "\x15"
MARKED = re.compile(r"<<(.*?)>>", re.S)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]|[\r\x07\x00]")


class Shell:
    """A shell on a terminal."""

    def __init__(self, words, folder, environment):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, environment)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, pattern):
        text, end = "", time.monotonic() + DEADLINE
        while time.monotonic() < end:
            text += self.read_some()
            found = pattern.search(text)
            if found:
                return found, text
        raise SystemExit("complete.py: the shell said only %r" % text[-2000:])

    def read_some(self, patience=QUIET):
        text = b""
        while select.select([self.terminal], [], [], patience)[0]:
            try:
                chunk = os.read(self.terminal, 65536)
            except OSError:
                break
            if not chunk:
                break
            text += chunk
        return text.decode(errors="replace")

    def buffer(self):
        self.type(DONE)
        return self.read_until(MARKED)[0].group(1)

    def end(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def environment(program):
    # No settings of whoever runs this, and no clever terminal.
    return {"PATH": os.path.dirname(program) + ":" + os.environ["PATH"], "TERM": "vt100",
            "HOME": tempfile.gettempdir(), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "COLUMNS": "200", "LINES": "200", "PS1": "> "}


def start(shell, program, folder):
    script = os.path.join(folder, "completion." + shell)
    with open(script, "wb") as file:
        file.write(subprocess.run([program, "completion", shell], check=True,
                                  stdout=subprocess.PIPE).stdout)
    setup = os.path.join(folder, "setup." + shell)
    with open(setup, "w", encoding="utf-8") as file:
        if shell == "bash":
            file.write("source %s\nbind 'set bell-style none'\nbind 'set page-completions off'\n"
                       "bind 'set completion-query-items 0'\nPS1='> '\n"
                       "bind -x '\"\\C-g\": printf \"<<%%s>>\" \"$READLINE_LINE\"'\n"
                       "echo READY\n" % script)
        else:
            file.write("autoload -Uz compinit; compinit -u -D\nsource %s\n"
                       "LISTMAX=0; unsetopt beep; PS1='> '; setopt auto_list; unsetopt auto_menu\n"
                       "show() { print -rn -- \"<<$BUFFER>>\" }; zle -N show; bindkey '^G' show\n"
                       "bindkey -e; bindkey '^G' show\necho READY\n" % script)
    words = ["bash", "--noprofile", "--norc", "-i"] if shell == "bash" else ["zsh", "-f", "-i"]
    opened = Shell(words, folder, environment(program))
    opened.read_some(1.0)
    opened.type(" source %s\n" % setup)
    opened.read_until(re.compile("READY\r?\n"))
    return opened


def complete(opened, line):
    opened.type(KILL)
    opened.read_some()
    opened.type(line)
    opened.read_some()
    opened.type("\t")
    opened.read_some(0.5)
    buffer = opened.buffer()
    opened.read_some()
    opened.type("\t\t")
    listed = CONTROL.sub("", opened.read_some(0.5))
    return {"line": line, "buffer": buffer, "listed": listed}


def complete_in_fish(program, folder, line):
    """fish tells by itself what it would offer, a line each."""
    script = os.path.join(folder, "completion.fish")
    with open(script, "wb") as file:
        file.write(subprocess.run([program, "completion", "fish"], check=True,
                                  stdout=subprocess.PIPE).stdout)
    said = subprocess.run(
        ["fish", "--no-config", "--command",
         "source %s; complete --do-complete=%s" % (script, "'" + line + "'")],
        cwd=folder, env=environment(program), check=True, stdout=subprocess.PIPE, text=True).stdout
    words = [row.split("\t")[0] for row in said.splitlines()]
    return {"line": line, "buffer": words[0] if len(words) == 1 else "", "listed": said}


def main():
    shell, program, folder, lines = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    if shell == "fish":
        for line in lines:
            print(json.dumps(complete_in_fish(program, folder, line)))
        return
    opened = start(shell, program, folder)
    for line in lines:
        print(json.dumps(complete(opened, line)))
    opened.end()


if __name__ == "__main__":
    main()
