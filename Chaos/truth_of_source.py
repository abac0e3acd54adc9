"""The independent count of a stream's entries, by the code of `Tests/Truth`.

That code judges files; here each entry is judged by its own id, which is its arrival.
"""

import contextlib
import io
import os
import sys
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Tests", "Truth"))

import truth
from events import Reader, Refused
from truth import span, tier_name  # what the verdict calls tiers is what the truth calls them

PAGE = 1000  # entries of one XRANGE


def read_source(wire, key):
    """Every entry there is: [(id, {field: value})], bytes throughout."""
    entries, start = [], "-"
    while True:
        some = wire.call("XRANGE", key, start, "+", "COUNT", PAGE)
        for entry, parts in some:
            entries.append((entry.decode(), dict(zip(parts[::2], parts[1::2]))))
        if len(some) < PAGE:
            return entries
        start = "(" + entries[-1][0]


class EntryReader(Reader):
    """Reads lists of entries where the truth's own reader reads files."""

    def events(self, path):
        for entry, parts in path:
            self.read += 1
            arrival = int(entry.split("-")[0])
            try:
                event = self._judge(
                    parts.get(b"url"), parts.get(b"uui"), parts.get(b"dt"), parts.get(b"kind"),
                    parts.get(b"id"), arrival=arrival)
            except Refused as refusal:
                reason = refusal.args[0]
                self.refused[reason] = self.refused.get(reason, 0) + 1
                continue
            self.counted += 1
            yield event


truth.Reader = EntryReader


def options(entries, tiers, allowance, sites, **more):
    return SimpleNamespace(
        tiers=truth.ladder(tiers), outage_allowance=truth.span(allowance), sites=sites,
        files=[entries], device_key=None, **more)


def compare(export, entries, tiers, allowance, sites, until, scratch):
    """(whether export and count agree, what was printed about it)."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        code = truth.compare(options(entries, tiers, allowance, sites, export=export, tier=None,
                                     until=until, pfcount=scratch))
    return code == 0, printed.getvalue().strip()


def count(entries, tiers, allowance, sites):
    """({(tier, dimension, id, start): page views}, {(dimension, id): name}, ledger)."""
    figures, names, printed = {}, {}, io.StringIO()
    with contextlib.redirect_stderr(printed):
        for row in truth.count(options(entries, tiers, allowance, sites, pfcount=None)):
            figures[row[0], row[1], row[2], row[4]] = row[5]
            names[row[1], row[2]] = row[3]
    return figures, names, printed.getvalue().strip()


@contextlib.contextmanager
def scratch_server(processes, stack, port, log):
    """A plain server for PFADD and PFCOUNT; it holds nothing of the deployment."""
    from processes import until
    from wire import Wire
    child = processes.start(
        [os.path.join(stack, "bin", "redis-server"), "--port", str(port), "--bind", "127.0.0.1",
         "--save", "", "--appendonly", "no"], log,
        dict(os.environ, LD_LIBRARY_PATH=os.path.join(stack, "lib")))

    def answers():
        try:
            wire = Wire("127.0.0.1", port)
            wire.close()
            return True
        except OSError:
            return False

    try:
        until(answers, 20.0, "the scratch server answers")
        yield "127.0.0.1:%d" % port
    finally:
        processes.kill(child)


