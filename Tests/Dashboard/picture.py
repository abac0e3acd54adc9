#!/usr/bin/env python3
"""Takes the documentation's picture of the dashboard: three real nodes, some hours of a small publisher,
the leader killed and back a while ago.

    picture.py --program FILE --redis-url URL[,URL…] --output FILE.png

The cluster is empty. Needs what check.py needs, and Debian's pngquant: the repository keeps it.
"""

import argparse
import subprocess
import sys
import tempfile
import time

from browser import Screen, chromium
from stage import Stage, Visits, Wrong

VIEWS = 6000
HOURS = 6


def take(stage, browser, name):
    stage.initialise()
    options = stage.articles()
    for node in ("node-1", "node-2", "node-3"):
        stage.start(node, *options)
    stage.balanced(3)
    visits = Visits(pages=300)
    stage.bring_in(visits.past(VIEWS, HOURS, int(time.time() * 1000)), "today")
    stage.feed(visits.endless(), 2)
    stage.command("wait", "-q", "--timeout", "120s")
    leader = stage.leader()
    other = next(node for node in stage.nodes if node is not leader)
    screen = Screen(browser, stage.pictures)
    screen.open(other.url)
    screen.when("figures", "document.querySelectorAll('#pages td.spark svg').length === 10", 60)
    # Long enough a term for its name to stand on the axis.
    time.sleep(20)
    leader.kill()
    screen.when("moved shards", "words('owners').includes('▼')")
    stage.nodes[stage.nodes.index(leader)] = leader.again()
    screen.when("all is well, and moves are still marked", "words('state') === 'healthy' && words('owners').includes('64 of 64')"
                " && (words('owners').match(/ 2[12](?=[^0-9])/g) ?? []).length >= 3 && words('owners').includes('▼')", 30)
    time.sleep(1)
    screen.judge("the picture")
    screen.picture(name)
    # A page has few colours: a third of the bytes.
    subprocess.run(["pngquant", "--force", "--output", name + ".png", "128", name + ".png"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(options.program, options.redis_url, folder)
        stage.pictures = ""
        try:
            with chromium() as browser:
                take(stage, browser, options.output.removesuffix(".png"))
        except Wrong as error:
            print("picture: %s" % error, file=sys.stderr)
            return 1
        finally:
            stage.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
