"""What Deploy/verify starts: three nodes in containers, the compose file, the Deployment, the service."""

import json
import os
import subprocess
import threading
import time

import verify_images as images
from verify_host import HERE, ROOT, Wrong, end_process, free_port, get, is_ready, say, until

EVENTS = 6000
IDLE_SECONDS = 10
LARGEST_RSS_MEGABYTES = 40
LONGEST_START_MILLISECONDS = 1000
CLOSED = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]


class Containers:
    """Three nodes, each on a port of its own of this machine's loopback."""

    def __init__(self, host, seeds, program):
        self.host, self.seeds, self.program = host, seeds, program
        self.ports = {"node-%d" % number: free_port() for number in (1, 2, 3)}
        host.at_end(lambda: host.podman("rm", "--force", "--time", "5", "--ignore", *self.ports, check=False))

    def start(self, name):
        """Milliseconds from the order to ready, the container's making included."""
        begun = time.monotonic()
        port = self.ports[name]
        self.host.podman(
            "run", "--detach", "--name", name, "--network", "host", *CLOSED, "--env", "COORDINATOR_REDIS_URL="
            + self.seeds, "--env", "COORDINATOR_HTTP=127.0.0.1:%d" % port, "--env", "COORDINATOR_NODE_NAME=" + name,
            images.NODE)
        until(name + " is ready", lambda: is_ready(port), 20)
        return (time.monotonic() - begun) * 1000

    def pid(self, name):
        return int(self.host.podman("inspect", name, "--format", "{{.State.Pid}}"))

    def ask(self, *words, **options):
        return self.host.run(self.program, *words, COORDINATOR_REDIS_URL=self.seeds, **options)

    def status(self):
        return json.loads(self.ask("status", "-o", "json"))


def memory_and_time(pid):
    """Resident megabytes, and seconds of CPU until now."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return resident * 1024 / 1e6, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_milliseconds(nodes):
    """The program alone, from its start to ready: its container is there already."""
    port = free_port()
    environment = {**nodes.host.environment, "COORDINATOR_REDIS_URL": nodes.seeds,
                   "COORDINATOR_HTTP": "127.0.0.1:%d" % port, "COORDINATOR_NODE_NAME": "timed"}
    begun = time.monotonic()
    child = subprocess.Popen([nodes.program, "run"], env=environment, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        until("a node is ready", lambda: is_ready(port), 20)
        return (time.monotonic() - begun) * 1000
    finally:
        end_process(child)


def feed(host, seeds):
    """Appends the events by redis-cli, one after another."""
    stack = host.environment.get("COORDINATOR_REDIS_STACK") or os.path.join(ROOT, ".build", "redis-stack")
    port = seeds.split(",")[0].rsplit(":", 1)[1]
    lines = "".join(
        "XADD ST:TRACKER:::: * url https://www.example.org/news/today/%d uui device-%d\n" % (n % 50, n % 700)
        for n in range(EVENTS))
    answers = host.run(os.path.join(stack, "bin", "redis-cli"), "-c", "-p", port, input=lines,
                       LD_LIBRARY_PATH=os.path.join(stack, "lib"))
    if answers.count("-") < EVENTS:
        raise Wrong("redis-cli did not append all events")


def containers(host, program, judges_figures):
    say("running three nodes in containers")
    seeds = host.cluster()
    nodes = Containers(host, seeds, program)
    nodes.ask("init", "--start", "now")
    starts = [nodes.start(name) for name in nodes.ports]
    until("three nodes are ready", lambda: len(
        [n for n in nodes.status()["nodes"] if n["state"] == "ready"]) == 3, 20)
    started = start_milliseconds(nodes)
    for name in nodes.ports:
        host.podman("exec", name, "/usr/bin/coordinator", "health", "--ready")
        host.podman("healthcheck", "run", name)
        with open("/proc/%d/status" % nodes.pid(name), encoding="utf-8") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        if status["Uid"].split()[0] != "10001" or int(status["CapEff"], 16) or int(status["CapBnd"], 16):
            raise Wrong("%s runs as user %s with capabilities %s" % (name, status["Uid"], status["CapEff"]))
        if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
            raise Wrong("%s may gain rights, or has no seccomp filter" % name)

    before = {name: memory_and_time(nodes.pid(name)) for name in nodes.ports}
    time.sleep(IDLE_SECONDS)
    after = {name: memory_and_time(nodes.pid(name)) for name in nodes.ports}
    resident = max(megabytes for megabytes, _ in after.values())
    idle = max((after[name][1] - before[name][1]) / IDLE_SECONDS for name in nodes.ports)

    trouble = []
    def feeding():
        try:
            feed(host, seeds)
        except Wrong as wrong:
            trouble.append(wrong)
    feeder = threading.Thread(target=feeding)
    feeder.start()
    leader = nodes.status()["leader"]["node"].split("/")[0]
    until("a part is counted", lambda: nodes.status()["sources"][0]["counted"] > EVENTS // 10, 60)
    killed = time.monotonic()
    host.podman("kill", "--signal", "KILL", leader)
    feeder.join()
    if trouble:
        raise trouble[0]
    until("another node leads", lambda: (nodes.status()["leader"] or {}).get(
        "node", leader).split("/")[0] != leader, 30)
    taken_over = time.monotonic() - killed
    source = until("every event is counted", lambda: next(
        (s for s in nodes.status()["sources"] if s["counted"] >= EVENTS), None), 60)
    status = until("the others own all shards", lambda: next(
        (s for s in [nodes.status()] if s["shardMap"]["owned"] == 64 and not s["shardMap"]["orphaned"]), None), 30)
    if (source["read"], source["counted"], source["refused"]) != (EVENTS, EVENTS, {}):
        raise Wrong("%d events were appended, and status says %s" % (EVENTS, json.dumps(source)))
    nodes.ask("audit")

    ends = []
    for name in [name for name in nodes.ports if name != leader]:
        begun = time.monotonic()
        host.podman("stop", "--time", "30", name)
        ends.append(time.monotonic() - begun)
        if host.podman("inspect", name, "--format", "{{.State.ExitCode}}").strip() != "0":
            raise Wrong("%s did not end with 0 after SIGTERM" % name)
    if judges_figures and resident > LARGEST_RSS_MEGABYTES:
        raise Wrong("an idle node has %.1f MB resident, more than %d" % (resident, LARGEST_RSS_MEGABYTES))
    if judges_figures and started > LONGEST_START_MILLISECONDS:
        raise Wrong("a node took %.0f ms to be ready" % started)
    return [
        ("three containers: read-only root, user 10001, no capability", "ready"),
        ("start of the program to ready", "%.0f ms" % started),
        ("podman run to ready, slowest of three", "%.0f ms" % max(starts)),
        ("idle node: resident, largest of three", "%.1f MB" % resident),
        ("idle node: CPU, largest of three, over %d s" % IDLE_SECONDS, "%.1f %%" % (idle * 100)),
        ("leader %s killed while %d events came: the next leads after" % (leader, EVENTS), "%.1f s" % taken_over),
        ("status: read = counted, refused none; shards owned", "%d, %d" % (
            source["counted"], status["shardMap"]["owned"])),
        ("audit", "nothing is wrong"),
        ("SIGTERM to exit 0, slower of two", "%.1f s" % max(ends)),
    ]


def compose(host):
    say("running the compose file: six servers, three nodes, Prometheus")
    host.run("Deploy/compose/secrets")
    wrapper = os.path.join(host.scratch, "podman")
    with open(wrapper, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\nexec podman %s "$@"\n' % " ".join(host.storage))
    os.chmod(wrapper, 0o755)
    command = [os.path.join(host.tools, "bin", "podman-compose"), "--podman-path", wrapper, "-p", "verify",
               "-f", os.path.join(HERE, "compose.yaml")]
    names = {"REDIS_IMAGE": images.REDIS, "COORDINATOR_IMAGE": images.NODE, "PROMETHEUS_IMAGE": images.PROMETHEUS}
    networks = ["verify_store", "verify_front"]
    host.at_end(lambda: host.podman("network", "rm", "--force", *networks, check=False))
    host.at_end(lambda: host.run(*command, "down", "--volumes", "--timeout", "5", check=False, **names))
    begun = time.monotonic()
    # All but Grafana, whose image cannot be made here.
    host.run(*command, "up", "--detach", "--no-build", *["redis-%d" % n for n in range(1, 7)], "form", "init",
             *["coordinator-%d" % n for n in (1, 2, 3)], "prometheus", **names)
    for port in (8081, 8082, 8083):
        until("the node at %d is ready" % port, lambda: is_ready(port), 60)
    took = time.monotonic() - begun

    def inside(*words):
        return json.loads(host.podman("exec", "verify_coordinator-1_1", "/usr/bin/coordinator", *words, "-o", "json"))
    status = inside("status")
    up = until("Prometheus scrapes three nodes", lambda: targets_up() == 3 and 3, 60)
    rules = json.loads(get("http://127.0.0.1:9090/api/v1/rules")[1])["data"]["groups"]
    report = [("compose up to three ready nodes on six servers", "%.0f s" % took),
              ("compose: status; Prometheus' targets up, alerts loaded", "%s; %d, %d" % (
                  status["health"]["state"], up, sum(len(g["rules"]) for g in rules)))]
    return report + deployment(host, inside)


def targets_up():
    answer = get("http://127.0.0.1:9090/api/v1/query?query=sum(up)")
    found = json.loads(answer[1])["data"]["result"] if answer and answer[0] == 200 else []
    return int(found[0]["value"][1]) if found else 0


def deployment(host, inside):
    """The Deployment as kustomize renders it, one pod of it, as a fourth node of the compose file's cluster."""
    say("playing the Deployment of Kubernetes")
    # kube play makes every port of a container one of the host, so one pod, and on the loopback.
    port = free_port()
    rendered = host.run(host.kubectl, "kustomize", os.path.join(HERE, "kubernetes", "example"))
    manifest = os.path.join(host.scratch, "deployment.yaml")
    edit = """
import base64, sys, yaml
resources = list(yaml.safe_load_all(sys.stdin))
for resource in resources:
    if resource["kind"] == "Deployment":
        resource["spec"]["replicas"] = 1
        container = resource["spec"]["template"]["spec"]["containers"][0]
        container["image"] = sys.argv[1]
        container["ports"][0].update(hostIP="127.0.0.1", hostPort=int(sys.argv[2]))
    if resource["kind"] == "ConfigMap" and "COORDINATOR_REDIS_URL" in resource["data"]:
        resource["data"]["COORDINATOR_REDIS_URL"] = "redis://172.30.77.11:6379"
        del resource["data"]["COORDINATOR_REDIS_USER"]
    if resource["kind"] == "Secret":
        password = open(sys.argv[3], "rb").read()
        # podman before 4.4 puts the text into the file as it stands; the password is hexadecimal, which is base64, too.
        plain = tuple(int(part) for part in sys.argv[4].split(".")[:2]) < (4, 4)
        resource["data"]["redis-password"] = (password if plain else base64.b64encode(password)).decode()
print(yaml.safe_dump_all(resources))
"""
    text = host.run(os.path.join(host.tools, "bin", "python"), "-c", edit, images.NODE, str(port),
                    os.path.join(HERE, "compose", "redis-password"),
                    host.podman("version", "--format", "{{.Client.Version}}").strip(), input=rendered)
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(text)
    # It makes volumes and secrets, and keeps those that are there: the storage is ours alone.
    host.podman("volume", "rm", "--force", "coordinator")
    host.at_end(lambda: host.podman("volume", "rm", "--force", "coordinator", check=False))
    host.at_end(lambda: host.podman("kube", "down", manifest, check=False))
    host.podman("kube", "play", "--network", "verify_store", "--network", "verify_front", manifest)
    try:
        until("the pod is ready", lambda: is_ready(port), 30)
    except Wrong as wrong:
        raise Wrong("%s\n%s" % (wrong, host.podman("pod", "logs", "coordinator-pod-0", check=False)))
    without_token = get("http://127.0.0.1:%d/status" % port)[0]
    if without_token != 401:
        raise Wrong("the pod answers /status without the read token: %d" % without_token)
    nodes = until("four nodes work", lambda: (lambda all: len(all) == 4 and all)(
        [n for n in inside("nodes") if n["state"] == "ready"]), 30)
    name = next(n["node"].split("/")[0] for n in nodes if "pod" in n["node"])
    host.podman("kube", "down", manifest)
    until("it has left", lambda: len([n for n in inside("nodes") if n["state"] == "ready"]) == 3, 30)
    return [("kube play of the Deployment: %s joins as the fourth, and leaves" % name, "done")]
