"""What no schema knows about the manifests: that they name settings that the program has, ask the probes
that it answers, give it no right, and carry the alerts of prometheus/rules.yml.

    manifests.py --program FILE BASE.yaml EXAMPLE.yaml     as kustomize rendered them; exit 1 with findings
    manifests.py --write-rules                             writes kubernetes/monitoring/prometheusrule.yaml
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import hcl2
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "prometheus", "rules.yml")
RULE_RESOURCE = os.path.join(HERE, "kubernetes", "monitoring", "prometheusrule.yaml")
RULE_HEAD = """\
# The alerts of Deploy/prometheus/rules.yml, for the Prometheus operator. Change them there, then run
# `Deploy/manifests.py --write-rules`, which writes this file.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: coordinator
spec:
"""

findings = []


def expect(holds, sentence):
    if not holds:
        findings.append(sentence)


def read(*path):
    with open(os.path.join(HERE, *path), encoding="utf-8") as file:
        return file.read()


def rule_resource():
    """The rules' own text, indented: comments and quotes stay."""
    text = read("prometheus", "rules.yml")
    groups = text[text.index("groups:"):]
    return RULE_HEAD + "".join(
        "  " + line if line.strip() else line for line in groups.splitlines(keepends=True))


def seconds(text):
    value, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", str(text)).groups()
    return int(value) * {"ms": 0.001, "s": 1, None: 1, "m": 60, "h": 3600}[unit]


class Program:
    """The program's own word on settings."""

    def __init__(self, path):
        self.path = path
        page = self.run(["run", "--help"], {}).stdout
        self.variables = set(re.findall(r"COORDINATOR_[A-Z_]+", page))
        expect("COORDINATOR_REDIS_URL" in self.variables, "run --help names no variables")

    def run(self, arguments, environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("COORDINATOR_", "REDIS"))}
        return subprocess.run(
            [self.path] + arguments, env={**clean, **environment}, text=True, capture_output=True,
            timeout=30)

    def accepts(self, where, environment):
        """Every name is known, and the program finds the values possible."""
        for name in environment:
            expect(name in self.variables or not name.startswith("COORDINATOR_"),
                   "%s sets %s, which `coordinator run` does not know" % (where, name))
        with tempfile.TemporaryDirectory() as folder:
            # Files that are mounted there are not here: anything that may be a secret stands for them.
            stand_in = os.path.join(folder, "secret")
            with open(stand_in, "w", encoding="utf-8") as file:
                file.write("0123456789abcdef0123456789abcdef\n")
            given = {name: stand_in if name.endswith("_FILE") else value
                     for name, value in environment.items()}
            answer = self.run(["config", "validate"], given)
            expect(answer.returncode == 0,
                   "%s: config validate says: %s" % (where, answer.stderr.strip()))


def check_rules():
    expect(read("kubernetes", "monitoring", "prometheusrule.yaml") == rule_resource(),
           "kubernetes/monitoring/prometheusrule.yaml is not prometheus/rules.yml: run "
           "Deploy/manifests.py --write-rules")
    resource, rules = yaml.safe_load(rule_resource()), yaml.safe_load(read("prometheus", "rules.yml"))
    expect(resource["spec"] == rules, "the alerts of prometheusrule.yaml and rules.yml differ")


def image_settings():
    """Environment, user and port of the Dockerfile."""
    text = read("Dockerfile")
    final = text[text.index("AS node"):]
    environment = dict(re.findall(r"^ENV (\w+)=(\S+)$", final, re.M))
    user = re.search(r"^USER (\d+):(\d+)$", final, re.M)
    expect(user and int(user[1]) > 0, "the Dockerfile's USER is not a number above 0")
    for word in ("ENTRYPOINT [", "CMD [", "HEALTHCHECK"):
        expect(word in final, "the Dockerfile has no %s…" % word)
    port = re.search(r"^EXPOSE (\d+)$", final, re.M)[1]
    expect(environment["COORDINATOR_HTTP"].endswith(":" + port), "EXPOSE is not COORDINATOR_HTTP")
    return environment, user and int(user[1]), int(port)


def container_is_closed(where, pod, container):
    security = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
    for key, wanted in {
            "runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}.items():
        expect(security.get(key) == wanted, "%s: %s is not %s" % (where, key, wanted))
    expect(pod.get("automountServiceAccountToken") is False, where + " mounts an API token")
    return security


def check_kubernetes(path, program, image):
    with open(path, encoding="utf-8") as file:
        resources = {}
        for resource in yaml.safe_load_all(file):
            resources.setdefault(resource["kind"], []).append(resource)
    where = os.path.basename(path)
    deployment = resources["Deployment"][0]
    spec, labels = deployment["spec"], deployment["spec"]["selector"]["matchLabels"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    environment, user, port = image

    security = container_is_closed(where, pod, container)
    expect(security.get("runAsUser") == user, where + " runs as another user than the image")
    rolling = spec["strategy"]["rollingUpdate"]
    expect((spec["replicas"], rolling["maxSurge"], rolling["maxUnavailable"]) == (3, 1, 0),
           where + ": three replicas, one more and none less while they roll")
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"),
                        ("readinessProbe", "/readyz")):
        asked = container[probe]["httpGet"]
        expect((asked["path"], ports.get(asked["port"])) == (path, port),
               "%s: %s is not %s on %d" % (where, probe, path, port))

    maps = {m["metadata"]["name"]: m.get("data", {}) for m in resources.get("ConfigMap", [])}
    settings = dict(environment)
    for source in container["envFrom"]:
        settings.update(maps[source["configMapRef"]["name"]])
    for variable in container["env"]:
        settings[variable["name"]] = variable.get("value", "some-pod-1")
    program.accepts(where, settings)
    expect(settings["COORDINATOR_HTTP"].endswith(":%d" % port), where + " listens on another port")
    expect(not [n for n in settings if re.search(r"(PASSWORD|TOKEN)$", n)],
           where + ": secrets come in files")
    before_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = seconds(settings["COORDINATOR_DRAIN_TIMEOUT"])
    expect(pod["terminationGracePeriodSeconds"] > before_stop + drain,
           where + ": terminationGracePeriodSeconds is not longer than preStop and drain timeout")
    mounts = [m["mountPath"] + "/" for m in container["volumeMounts"]]
    for name, value in settings.items():
        expect(not name.endswith("_FILE") or any(value.startswith(m) for m in mounts),
               "%s: %s names %s, where nothing is mounted" % (where, name, value))
    for secret in resources.get("Secret", []):
        for name, value in settings.items():
            if name.endswith("_FILE"):
                expect(os.path.basename(value) in secret["data"],
                       "%s: the secret has no %s" % (where, os.path.basename(value)))

    for kind, place in (("PodDisruptionBudget", ("selector", "matchLabels")),
                        ("NetworkPolicy", ("podSelector", "matchLabels")),
                        ("PodMonitor", ("selector", "matchLabels")), ("Service", ("selector",))):
        for resource in resources.get(kind, []):
            chosen = resource["spec"]
            for key in place:
                chosen = chosen[key]
            expect(chosen == labels, "%s: %s does not choose the nodes" % (where, kind))
    return resources


def check_compose(program, image):
    compose = yaml.safe_load(read("compose.yaml"))
    services = compose["services"]
    nodes = [s for name, s in services.items() if name.startswith("coordinator-")]
    masters = [s for name, s in services.items() if name.startswith("redis-")]
    expect((len(nodes), len(masters)) == (3, 6), "compose: three nodes and six servers")
    for node in nodes:
        expect(node["read_only"] and node["cap_drop"] == ["ALL"], "compose: a node is not closed")
        program.accepts("compose.yaml", {**image[0], **node["environment"]})
        expect(all(p.startswith("127.0.0.1:") for p in node["ports"]), "compose: open to everybody")
    scrape = yaml.safe_load(read("compose", "prometheus.yml"))["scrape_configs"][0]
    expect(sorted(scrape["static_configs"][0]["targets"])
           == sorted("%s:%d" % (n["hostname"], image[2]) for n in nodes),
           "compose: Prometheus does not scrape the nodes")
    json.loads(read("compose", "sites.json"))
    dashboard = json.loads(read("prometheus", "grafana-dashboard.json"))
    provider = yaml.safe_load(read("compose", "grafana", "dashboards.yml"))["providers"][0]
    mounted = [v.split(":")[1] for v in services["grafana"]["volumes"] if "dashboard.json" in v]
    expect(dashboard["uid"] and os.path.dirname(mounted[0]) == provider["options"]["path"],
           "compose: Grafana does not find the dashboard")


def check_systemd(program):
    unit = read("systemd", "coordinator.service")
    expect(re.search(r"^Type=notify$", unit, re.M) and re.search(r"^WatchdogSec=\d+$", unit, re.M),
           "the unit is not Type=notify with a watchdog")
    expect(re.search(r"^ExecReload=.*kill -HUP \$MAINPID", unit, re.M), "the unit does not reload")
    # Every setting that the example shows is taken; a path stands for a file that is there.
    with tempfile.TemporaryDirectory() as folder:
        secret, config = os.path.join(folder, "secret"), os.path.join(folder, "conf")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        lines = re.findall(r"^#?([a-z-]+ = .*)$", read("systemd", "coordinator.conf"), re.M)
        with open(config, "w", encoding="utf-8") as file:
            for line in lines:
                name = line.split(" = ")[0]
                file.write("%s = %s\n" % (name, secret) if name.endswith("-file") else line + "\n")
        answer = program.run(["config", "validate", "--config", config], {})
        expect(len(lines) > 5 and answer.returncode == 0,
               "systemd/coordinator.conf: %s" % answer.stderr.strip())


def check_nomad(program, image):
    def plain(value):
        return re.sub(r'^"|"$', "", value) if isinstance(value, str) else value

    job = hcl2.loads(read("nomad", "coordinator.nomad.hcl"))["job"][0]['"coordinator"']
    group = job["group"][0]['"node"']
    task = group["task"][0]['"coordinator"']
    environment = {name: plain(value) for name, value in task["env"][0].items()
                   if name.startswith("COORDINATOR_")}
    stand_ins = {name: re.sub(r"\$\{[^}]*\}", "x", value) for name, value in environment.items()}
    stand_ins["COORDINATOR_REDIS_URL"] = "redis://127.0.0.1:6379"
    program.accepts("nomad", {**image[0], **stand_ins})
    expect(group["count"] == 3, "nomad: three nodes")
    checks = {plain(c["path"]) for c in group["service"][0]["check"]}
    expect(checks == {"/livez", "/readyz"}, "nomad: checks are not /livez and /readyz")
    expect(seconds(plain(task["kill_timeout"])) > seconds(environment["COORDINATOR_DRAIN_TIMEOUT"]),
           "nomad: kill_timeout is not longer than the drain timeout")
    config = task["config"][0]
    expect(config["readonly_rootfs"] is True and [plain(c) for c in config["cap_drop"]] == ["all"],
           "nomad: the container is not closed")


def main():
    parser = argparse.ArgumentParser(prog="Deploy/manifests.py")
    parser.add_argument("--write-rules", action="store_true")
    parser.add_argument("--program")
    parser.add_argument("rendered", nargs="*")
    arguments = parser.parse_args()
    if arguments.write_rules:
        with open(RULE_RESOURCE, "w", encoding="utf-8") as file:
            file.write(rule_resource())
        return 0
    program, image = Program(arguments.program), image_settings()
    program.accepts("the Dockerfile", image[0])
    check_rules()
    for path in arguments.rendered:
        check_kubernetes(path, program, image)
    check_compose(program, image)
    check_systemd(program)
    check_nomad(program, image)
    for finding in findings:
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
