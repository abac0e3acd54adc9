"""The report of a run, for a person: `report.md` and `timeline.svg`."""

import datetime
import os
import platform

from stage import OUTAGE_ALLOWANCE, TIERS
from timeline import draw


def percentile(values, share):
    """The smallest value that `share` of all do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * len(ordered) * 100) // 100) - 1))]


def seconds(value):
    return "–" if value is None else "%.2f s" % value


def clock(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%H:%M:%S.%f")[:-3]


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def summary(events):
    """Rows of [fault, injected, p50, p99 of take-over, p50, p99 until all shards are owned]."""
    rows = []
    for name in sorted({event.name for event in events if event.begin}):
        some = [event for event in events if event.name == name and event.begin]
        takeover = [e.takeover_seconds for e in some if e.takeover_seconds is not None]
        owned = [e.owned_seconds for e in some if e.owned_seconds is not None]
        rows.append([name, len(some), seconds(percentile(takeover, 0.5)),
                     seconds(percentile(takeover, 0.99)), seconds(percentile(owned, 0.5)),
                     seconds(percentile(owned, 0.99))])
    return rows


def table(head, rows):
    lines = ["| %s |" % " | ".join(head), "|%s" % (" --- |" * len(head))]
    return lines + ["| %s |" % " | ".join(cell(part) for part in row) for row in rows]


def write_report(campaign, folder):
    os.makedirs(folder, exist_ok=True)
    stage, verdict, events = campaign.stage, campaign.verdict, campaign.events
    draw(campaign, os.path.join(folder, "timeline.svg"))
    injected = [event for event in events if event.begin]
    lines = [
        "# Chaos run, seed %s: %s" % (campaign.seed, "good" if verdict.is_good else "BAD"), "",
        "%d faults, %d nodes, %g events/s, begun %s UTC, on %s %s with %d cores." % (
            len(injected), len(stage.nodes), stage.rate,
            datetime.datetime.fromtimestamp(stage.begun, datetime.timezone.utc).strftime(
                "%Y-%m-%d %H:%M:%S"), platform.system(), platform.machine(), os.cpu_count()),
        "Coordinator %s; %s; tiers %s, outage allowance %s." % (
            stage.program.version, campaign.redis_version(), TIERS, OUTAGE_ALLOWANCE), "",
        "Again: `%s`" % campaign.settings.again(campaign.seed), "",
        "## Verdict", ""]
    lines += table(("what", "", "found"), [
        (title, "good" if good else "**BAD**", text) for title, text, good in verdict.notes])
    lines += ["", "## Take-over", "",
              "From the begin of the fault: to the next line `elected` of a node's log, and to the"
              " first look at `status` (three a second) that shows a leader and all shards owned by"
              " live nodes, after one that did not. A pause or an end of several nodes lasts"
              " itself.", ""]
    lines += table(("fault", "times", "elected p50", "p99", "all shards owned p50", "p99"),
                   summary(injected))
    lines += ["", "Steps of superseded owners that shards refused: %d." % stage.watch.fenced(), "",
              "![timeline](timeline.svg)", "", "## Faults", ""]
    lines += table(
        ("#", "begin", "fault", "target", "effect", "lasted", "elected", "owned", "settled"),
        [(event.step.number, clock(event.begin), event.name, event.target,
          (event.effect or "**no effect**") + ("; " + event.trouble if event.trouble else ""),
          seconds(event.end - event.begin), seconds(event.takeover_seconds),
          seconds(event.owned_seconds), seconds(event.settled_seconds)) for event in injected])
    skipped = [event for event in events if event.skipped]
    if skipped:
        lines += ["", "Skipped: " + "; ".join("%s (%s)" % (e.name, e.skipped) for e in skipped)]
    lines += ["", "## Leaders", ""]
    lines += table(("at", "node", "term"), [
        (clock(at), node, "`%s`" % term) for at, node, term in stage.watch.leaders()])
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
