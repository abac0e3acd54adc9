"""The Debian package with its service, under a systemd of its own in a Debian made for it."""

import os
import shutil
import subprocess
import time

from verify_host import Wrong, end_process, free_port, is_ready, say, until

UNIT = "coordinator.service"


class Machine:
    """A booted Debian: its systemd is process 1 of its own namespaces; it shares the network."""

    def __init__(self, host, root):
        self.host, self.root = host, root
        log = open(host.log, "a", encoding="utf-8")
        self.child = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--directory", root],
            env=host.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        host.at_end(self.end)
        self.first = until("a process 1", self._first, 20)
        until("systemd answers", lambda: self.run(
            "systemctl", "is-system-running", check=False).strip() in ("running", "degraded"), 120)

    def _first(self):
        """The process that became systemd; those that prepare its namespaces come and go before."""
        path = "/proc/%d/task/%d/children" % (self.child.pid, self.child.pid)
        try:
            with open(path, encoding="utf-8") as file:
                children = file.read().split()
            for child in children:
                with open("/proc/%s/comm" % child, encoding="utf-8") as file:
                    if file.read().strip() == "systemd":
                        return int(child)
        except OSError:
            pass
        return None

    def run(self, *command, **options):
        return self.host.run("nsenter", "--target", str(self.first), "--all", *command, **options)

    def show(self, name):
        return self.run("systemctl", "show", UNIT, "--property", name, "--value").strip()

    def log(self):
        return self.run("journalctl", "--no-pager", "--unit", UNIT)

    def end(self):
        if self.child.poll() is None:
            self.run("systemctl", "poweroff", check=False)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                end_process(self.child)


def service(host, base_tar, program):
    say("installing the package and running its service under systemd")
    report = []
    package = host.run("Deploy/package", "--program", os.path.abspath(program)).strip()
    report.append(("package", "%s, %.1f MB" % (os.path.basename(package), os.path.getsize(package) / 1e6)))
    root = os.path.join(host.scratch, "root")
    os.mkdir(root)
    host.run("tar", "--directory", root, "--extract", "--file", base_tar)
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc", "resolv.conf"))
    shutil.copy(package, os.path.join(root, "coordinator.deb"))
    host.run("chroot", root, "sh", "-c", "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "
             "--no-install-recommends systemd systemd-sysv dbus /coordinator.deb")
    seeds = host.cluster_seeds
    port = free_port()
    machine = Machine(host, root)
    if machine.show("ActiveState") != "inactive" or machine.show("UnitFileState") != "disabled":
        raise Wrong("the service started before anybody named its cluster")

    configuration = os.path.join(root, "etc", "coordinator", "coordinator.conf")
    with open(configuration, encoding="utf-8") as file:
        text = file.read()
    text = text.replace("http = 127.0.0.1:8080", "http = 127.0.0.1:%d\nredis-url = %s" % (port, seeds))
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(text)
    begun = time.monotonic()
    machine.run("systemctl", "enable", "--now", UNIT)
    started = time.monotonic() - begun
    until("the service's node is ready", lambda: is_ready(port), 20)
    main = int(machine.show("MainPID"))
    user = machine.show("User")
    report.append(("systemctl enable --now, Type=notify, as user %s" % user, "%.0f ms" % (started * 1000)))

    with open(configuration, "w", encoding="utf-8") as file:
        file.write(text.replace("log-level = info", "log-level = debug"))
    machine.run("systemctl", "reload", UNIT)
    until("the node has reloaded", lambda: "event=reloaded" in machine.log(), 20)
    until("systemd knows it", lambda: machine.show("ActiveState") == "active", 10)
    if int(machine.show("MainPID")) != main:
        raise Wrong("a reload started another process")
    report.append(("systemctl reload", "taken over by the same process"))

    machine.run("systemctl", "kill", "--signal", "SIGSTOP", UNIT)
    begun = time.monotonic()
    until("the watchdog starts a hung node again", lambda: machine.show("NRestarts") not in ("", "0"), 90)
    waited = time.monotonic() - begun
    until("the new one is ready", lambda: is_ready(port), 20)
    report.append(("a node that hangs (SIGSTOP) is started again after", "%.0f s" % waited))

    def install():
        machine.run("apt-get", "install", "-y", "--reinstall", "/coordinator.deb", DEBIAN_FRONTEND="noninteractive")

    main = machine.show("MainPID")
    install()
    until("the new program's node is ready", lambda: is_ready(port), 20)
    if machine.show("MainPID") in ("0", main):
        raise Wrong("a node that ran when the package was installed again is not a new one")
    with open(configuration, encoding="utf-8") as file:
        if seeds not in file.read():
            raise Wrong("installing it again lost the configuration")
    report.append(("the package installed again over a running node", "another process, ready"))

    begun = time.monotonic()
    machine.run("systemctl", "stop", UNIT)
    stopped = time.monotonic() - begun
    if machine.show("Result") != "success" or machine.show("ExecMainStatus") != "0":
        raise Wrong("the service did not end with 0: %s" % machine.show("Result"))
    report.append(("systemctl stop, exit 0", "%.1f s" % stopped))
    exposure = machine.run("systemd-analyze", "security", "--no-pager", UNIT, check=False).splitlines()[-1]
    report.append(("systemd-analyze security", exposure.split(": ", 1)[-1].split()[0]))

    install()
    if machine.show("ActiveState") != "inactive":
        raise Wrong("installing it again started a node that somebody had stopped")
    machine.run("systemctl", "start", UNIT)
    until("it is ready", lambda: is_ready(port), 20)
    machine.run("apt-get", "remove", "-y", "coordinator")
    if os.path.exists(os.path.join(root, "usr/bin/coordinator")) or not os.path.exists(configuration):
        raise Wrong("remove takes the program and leaves the configuration")
    if is_ready(port):
        raise Wrong("remove leaves the node running")
    machine.run("apt-get", "purge", "-y", "coordinator")
    left = host.run("find", root + "/etc", root + "/usr", root + "/lib/", root + "/var/lib", "-xdev",
                    "-name", "*coordinator*", check=False).split()
    if left:
        raise Wrong("purge leaves %s" % " ".join(left))
    report.append(("remove ends a running node, keeps the configuration, purge leaves", "nothing"))
    return report
