"""One deployment under test: servers, nodes, load and watch, from the first start to the end."""

import json
import os
import shutil
import time

from load import SOURCE, Load
from nodes import Node, Program
from processes import Processes, Trouble, until
from servers import ChaosCluster
from watch import Watch
from wire import slot_of

# Short windows, so that rotation runs all the time; they divide each other. The coarsest decides
# how long the end of a run takes: its last window must close.
TIERS = "1s,5s/30m,10s/30m,30s/1h"
COARSEST_MS = 30_000
GRACE_MS = 1_000
# Everything of a run must still be there when it is judged.
OUTAGE_ALLOWANCE = "6h"
# The coordinator trims its source an hour behind, and the source is the truth.
LONGEST_SECONDS = 45 * 60
# The site table of the original system: four sites, the truth knows it as well.
SITES = {"hosts": {"www.rtl.lu": "RTL", "5minutes.rtl.lu": "5MINUTES", "today.rtl.lu": "TODAY",
                   "www.eldo.lu": "ELDO"}}

# A deployment settles within a lease, a failover (30 s at worst) and some restarts; beyond this it
# is stuck, and that is a finding.
SETTLE_SECONDS = 90.0


class Stuck(Exception):
    """The coordinator did not recover in time although the cluster is well: a bad verdict."""


class Stage:
    """Everything that one run has started."""

    def __init__(self, folder, program_path, node_count, rate, seed):
        self.folder = folder
        self.processes = Processes(folder)
        self.cluster = ChaosCluster(os.path.join(folder, "cluster"), self.processes)
        self.program_path, self.node_count = program_path, node_count
        self.rate, self.seed = rate, seed
        self.program = self.load = self.watch = None
        self.nodes = []
        self.unwanted_ends = []
        self.server_states = []  # (seconds, [state of each server]), for the timeline
        self.begun = time.time()

    def begin(self):
        self.cluster.begin()
        self.program = Program(self.program_path, self.cluster.proxy_seeds)
        sites = os.path.join(self.folder, "sites.json")
        with open(sites, "w", encoding="utf-8") as file:
            json.dump(SITES, file)
        self.program.must(
            "init", "--tiers", TIERS, "--outage-allowance", OUTAGE_ALLOWANCE, "--grace",
            "%dms" % GRACE_MS, "--sites", sites, "--start", "now")
        self.nodes = [Node("n%d" % (index + 1), self.program, self.processes, self.folder)
                      for index in range(self.node_count)]
        for node in self.nodes:
            node.start()
        self.watch = Watch(self.program, self.nodes)
        self.watch.start()
        self.wait_settled(time.time())
        self.note_servers()
        self.load = Load(self.cluster.proxy_seeds, self.seed, self.rate)
        self.load.start()

    # Looking

    @property
    def source_slot(self):
        return slot_of(SOURCE)

    def leader(self):
        """The node that leads, by the newest status; None when nobody that works does."""
        name = (self.watch.look().leader or "").split("/")[0]
        return next((node for node in self.nodes if node.name == name and node.works), None)

    def wait_for_leader(self):
        return until(self.leader, SETTLE_SECONDS, "there is a leader")

    def slots_of_shards(self):
        """The one slot of every shard that holds its keys."""
        rows = self.program.ask("shards")
        if not rows:
            raise Trouble("`coordinator shards` does not answer")
        return [slot_of("{%s}" % row["tag"]) for row in rows]

    def note_servers(self):
        """What every server is now. Asked between the steps of a fault, not on a clock."""
        states = self.cluster.states()
        self.server_states.append((time.time(), states))

    def check_processes(self):
        """Nodes that ended by themselves are written down and started again."""
        for node in self.nodes:
            if node.note_unwanted_end():
                self.unwanted_ends.append((time.time(), node.name, node.ends[-1][1]))

    def wait_settled(self, since):
        """Until the coordinator works as before; gives how long it took from `since`."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self.watch.is_settled(since):
            self.check_processes()
            if time.monotonic() > deadline:
                look = self.watch.looks[-1].status if self.watch.looks else None
                raise Stuck("not settled within %g s of the healing: %s" % (
                    SETTLE_SECONDS, json.dumps(look and {
                        name: look.get(name) for name in ("health", "leader", "shardMap")})))
            time.sleep(0.05)
        return self.watch.looks[-1].at - since

    # Ending

    def heal_all(self):
        self.cluster.heal_all()
        for node in self.nodes:
            if node.is_paused:
                node.resume()
            if not node.is_alive:
                node.start()

    def end(self, keep):
        """Leaves no process. The folder stays when there is something to look at."""
        if self.watch:
            self.watch.stopping.set()
        if self.load:
            self.load.stopping.set()
        self.processes.end_all()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
