"""What Deploy/verify stands on: commands, tools, a container storage of its own, deadlines."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PACKAGES = ["buildah", "catatonit", "iptables", "mmdebstrap", "netavark", "aardvark-dns", "podman", "runc"]
PACKAGES_OF_ALL = ["systemd-container", "debhelper", "dpkg-dev"]
# runc and cgroupfs: no systemd is asked for. Equal limits: podman 4 swaps the two for a pod.
CONTAINERS_CONF = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
"""


class Wrong(Exception):
    """Something is not as it should be; the text says what."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def until(what, holds, seconds=60):
    """What `holds` gives, once that is something; `Wrong` when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Wrong("not within %g s: %s" % (seconds, what))
        time.sleep(0.02)


def free_port():
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return some.getsockname()[1]


def get(url):
    """Status and body; None when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def is_ready(port):
    return (get("http://127.0.0.1:%d/readyz" % port) or (0,))[0] == 200


class Host:
    """This machine: what was started on it is ended at the end, also after a failure."""

    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        self.log = os.path.join(build, "verify.log")
        self.storage = ["--root", os.path.join(build, "storage"), "--runroot", os.path.join(build, "run")]
        self.endings = []
        self.tools = self.kubectl = self.cluster_seeds = ""
        configuration = os.path.join(scratch, "containers.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONTAINERS_CONF)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("COORDINATOR_", "REDIS"))},
            "CONTAINERS_CONF": configuration, "TMPDIR": scratch}
        if "COORDINATOR_REDIS_STACK" in os.environ:
            self.environment["COORDINATOR_REDIS_STACK"] = os.environ["COORDINATOR_REDIS_STACK"]
        open(self.log, "w", encoding="utf-8").close()

    def run(self, *command, seconds=300, check=True, input=None, **variables):
        """Standard output; all of it is in the log. `Wrong` when it fails."""
        with open(self.log, "a", encoding="utf-8") as log:
            log.write("$ %s\n" % " ".join(command))
        try:
            ended = subprocess.run(
                command, env={**self.environment, **variables}, text=True, capture_output=True,
                timeout=seconds, input=input, cwd=ROOT)
        except subprocess.TimeoutExpired:
            raise Wrong("'%s' did not end within %d s" % (" ".join(command[:6]), seconds))
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(ended.stdout + ended.stderr)
        if check and ended.returncode != 0:
            raise Wrong("'%s' ended with %d (all of it is in %s):\n%s" % (
                " ".join(command[:8]), ended.returncode, self.log, "\n".join(
                    (ended.stdout + ended.stderr).splitlines()[-8:])))
        return ended.stdout

    def shell(self, script, **options):
        """A script with the functions of common.sh and tools.sh."""
        head = "set -euo pipefail; source Deploy/common.sh; source Deploy/tools.sh; "
        return self.run("bash", "-c", head + script, "verify", **options)

    def install(self, quick):
        packages = PACKAGES + ([] if quick else PACKAGES_OF_ALL)
        self.shell("need_packages " + " ".join(packages))
        if not quick:
            self.tools, self.kubectl = self.shell(
                'install_tools; printf "%s\\n" "$tools" "$kubectl"').split()

    def podman(self, *arguments, **options):
        return self.run("podman", *self.storage, *arguments, **options)

    def buildah(self, *arguments, **options):
        return self.run("buildah", *self.storage, *arguments, **options)

    def at_end(self, ending):
        self.endings.append(ending)

    def end(self):
        for ending in reversed(self.endings):
            try:
                ending()
            except (Wrong, OSError) as wrong:
                say("verify: at the end: %s" % wrong)
        self.endings = []

    def cluster(self):
        """The addresses of a cluster for this machine alone."""
        folder = os.path.join(self.scratch, "cluster")
        self.at_end(lambda: self.run("Deploy/cluster", "stop", "--dir", folder))
        out = self.run("Deploy/cluster", "start", "--dir", folder, "--masters", "3", "--replicas", "1")
        self.cluster_seeds = out.split()[-1]
        return self.cluster_seeds


def end_process(child):
    """Asks, then insists; the child is one that we started."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(15)
