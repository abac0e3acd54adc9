"""The servers of a local Redis Stack cluster and the folder that describes them (see `cluster`)."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time

SLOTS = 16384
MODULES = ("rediscompat", "redisearch", "redistimeseries", "rejson", "redisbloom")

# Bus port = port + 10000, Redis's own rule. Both stay below 32768, where Linux begins to hand out
# ports to clients: a port found free there could be taken before the server has it.
BUS_OFFSET = 10000
FIRST_PORT, LAST_PORT = 11000, 22500

READY_SECONDS = 60.0  # a restart reads the append-only files first
STOP_SECONDS = 20.0  # after it SIGKILL: a server writes its files within a second or two
REPLY_SECONDS = 5.0
POLL_SECONDS = 0.02


class Failure(Exception):
    """A sentence for the operator: what went wrong and the way out."""


class Node:
    """A short connection to one server, speaking RESP."""

    def __init__(self, host, port, password=None):
        self.socket = socket.create_connection((host, port), timeout=REPLY_SECONDS)
        self.reader = self.socket.makefile("rb")
        if password:
            self.call("AUTH", password)

    def close(self):
        self.reader.close()
        self.socket.close()

    def call(self, *words):
        data = [b"*%d\r\n" % len(words)]
        for word in words:
            word = str(word).encode()
            data.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(data))
        return self._reply()

    def fields(self, *words):
        """The `name:value` lines of a reply such as INFO's."""
        lines = self.call(*words).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _reply(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("connection closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise OSError(rest.decode(errors="replace"))
        if kind in b"+:":
            return rest
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        size = int(rest)
        return None if size < 0 else self.reader.read(size + 2)[:-2]


def stack_folder():
    checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folder = os.path.abspath(os.environ.get("COORDINATOR_REDIS_STACK") or os.path.join(
        checkout, ".build", "redis-stack"))
    if not os.access(os.path.join(folder, "bin", "redis-server"), os.X_OK):
        raise Failure("there is no Redis Stack server in %s: run Deploy/install" % folder)
    return folder


def is_free(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_ports(host, count, base, with_bus):
    def free(port):
        return is_free(host, port) and (not with_bus or is_free(host, port + BUS_OFFSET))

    if base:
        ports = list(range(base, base + count))
        taken = [port for port in ports if not free(port)]
        if taken:
            raise Failure(
                "port %d (or its bus port %d) is taken: choose another --port, or leave it out"
                % (taken[0], taken[0] + BUS_OFFSET))
        return ports
    # A random place to begin, so that clusters started at the same time do not meet.
    start = random.SystemRandom().randrange(LAST_PORT - FIRST_PORT)
    ports = []
    for offset in range(LAST_PORT - FIRST_PORT):
        port = FIRST_PORT + (start + offset) % (LAST_PORT - FIRST_PORT)
        # A port is no other's bus port: both ranges overlap.
        if free(port) and not {port - BUS_OFFSET, port + BUS_OFFSET} & set(ports):
            ports.append(port)
            if len(ports) == count:
                return ports
    raise Failure("no %d free ports between %d and %d: stop other servers, or give --port"
                  % (count, FIRST_PORT, LAST_PORT))


def tls_folder(folder):
    return os.path.join(folder, "tls")


def make_certificates(folder, host):
    """An authority, and certificates for the servers and for one client, in `folder`/tls."""
    tls = tls_folder(folder)
    os.makedirs(tls, mode=0o700, exist_ok=True)

    def openssl(*words):
        done = subprocess.run(["openssl"] + list(words), cwd=tls, capture_output=True, check=False)
        if done.returncode:
            raise Failure("openssl %s: %s" % (words[0], done.stderr.decode(errors="replace")))

    def issue(name, subject, extension):
        with open(os.path.join(tls, name + ".ext"), "w", encoding="utf-8") as file:
            file.write(extension)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out",
                name + ".csr", "-subj", subject)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", name + ".ext", "-out", name + ".crt")

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt",
            "-days", "30", "-subj", "/CN=local test authority")
    issue("server", "/CN=redis", "subjectAltName=IP:%s,DNS:localhost\n" % host)
    issue("client", "/CN=coordinator", "extendedKeyUsage=clientAuth\n")


class Cluster:
    """What `cluster.json` in one folder says, and the servers it stands for."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.path = os.path.join(self.folder, "cluster.json")
        self.state = None
        self.children = {}  # pid: process, of those started by this program
        if os.path.exists(self.path):
            try:
                with open(self.path, encoding="utf-8") as file:
                    self.state = json.load(file)
                    self.nodes  # it has the shape it should have
            except (ValueError, KeyError, TypeError):
                raise Failure("%s cannot be read: end the servers started from it by hand (their"
                              " command lines name the folder) and remove it" % self.path)

    @property
    def nodes(self):
        return self.state["nodes"]

    @property
    def password(self):
        words = [line.split(None, 1) for line in self.state["config"]]
        return next((word[1] for word in words if word[0] == "requirepass"), None)

    @property
    def seeds(self):
        if self.state.get("tls"):
            return ",".join("rediss://%s:%d" % (node["host"], node["tlsPort"])
                            for node in self.nodes)
        return ",".join("redis://%s:%d" % (node["host"], node["port"]) for node in self.nodes)

    def write(self, path, text):
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def save(self):
        self.write(self.path, json.dumps(self.state, indent=2) + "\n")
        self.write(os.path.join(self.folder, "seeds"), self.seeds + "\n")

    def configuration(self, node):
        return os.path.join(self.folder, node["folder"], "redis.conf")

    def runs(self, node):
        """The pid is a live process AND its command line is the one we started: pids are reused."""
        try:
            with open("/proc/%d/cmdline" % node["pid"], "rb") as file:
                return os.fsencode(self.configuration(node)) in file.read().split(b"\0")
        except (OSError, TypeError):
            return False

    def has_ended(self, node):
        """For a child its exit: just after the start its command line is still empty."""
        child = self.children.get(node["pid"])
        return child.poll() is not None if child else not self.runs(node)

    def connect(self, node):
        return Node(node["host"], node["port"], self.password)

    # Starting

    def define(self, options, ports):
        nodes = []
        masters = 1 if options.single else options.masters
        servers = len(ports) // 2 if options.tls else len(ports)
        for index, port in enumerate(ports[:servers]):
            is_master = index < masters
            nodes.append({
                "index": index, "host": options.bind, "port": port,
                "busPort": None if options.single else port + BUS_OFFSET, "pid": None,
                "role": "master" if is_master else "replica",
                "replicaOf": None if is_master else index % masters,
                "tlsPort": ports[servers + index] if options.tls else None,
                "folder": "node-%d" % index, "id": None})
        self.state = {
            "version": 1, "single": options.single, "modules": not options.plain,
            "masters": masters, "replicas": 0 if options.single else options.replicas,
            "persist": options.persist, "nodeTimeoutMs": options.node_timeout,
            "tls": options.tls, "acl": os.path.abspath(options.acl) if options.acl else None,
            "config": options.config, "formed": False, "nodes": nodes}

    def write_configuration(self, node, stack):
        folder = os.path.join(self.folder, node["folder"])
        os.makedirs(folder, exist_ok=True)
        state = self.state
        lines = [
            "bind " + node["host"], "port %d" % node["port"],
            # A server bound to another address than loopback answers there only unprotected.
            "protected-mode " + ("yes" if node["host"].startswith("127.") else "no"),
            'dir "%s"' % folder, "daemonize no", "set-proc-title no",
            "maxmemory-policy noeviction", "repl-diskless-sync-delay 0", 'save ""',
            "appendonly " + ("yes" if state["persist"] else "no")]
        if not state["single"]:
            lines += [
                "cluster-enabled yes", "cluster-config-file nodes.conf",
                "cluster-port %d" % node["busPort"], "cluster-announce-ip " + node["host"],
                "cluster-node-timeout %d" % state["nodeTimeoutMs"]]
        if state["tls"]:
            # The plain port stays for tools on this machine. Certificates of clients are verified
            # where they are shown.
            tls = tls_folder(self.folder)
            lines += [
                "tls-port %d" % node["tlsPort"], 'tls-cert-file "%s/server.crt"' % tls,
                'tls-key-file "%s/server.key"' % tls, 'tls-ca-cert-file "%s/ca.crt"' % tls,
                "tls-auth-clients optional"]
        if state["acl"]:
            # A copy: ACL SAVE writes into the file.
            shutil.copyfile(state["acl"], os.path.join(folder, "users.acl"))
            lines += ['aclfile "%s/users.acl"' % folder]
        if state["modules"]:
            lines += ['loadmodule "%s/lib/%s.so"' % (stack, name) for name in MODULES]
        with open(self.configuration(node), "w", encoding="utf-8") as file:
            file.write("\n".join(lines + state["config"]) + "\n")

    def launch(self, nodes):
        stack = stack_folder()
        environment = dict(os.environ)
        environment["LD_LIBRARY_PATH"] = os.path.join(stack, "lib")
        for node in nodes:
            self.write_configuration(node, stack)
            with open(os.path.join(self.folder, node["folder"], "log"), "ab") as log:
                # A session of its own: a Ctrl-C at the caller's terminal is not for the servers.
                child = subprocess.Popen(
                    [os.path.join(stack, "bin", "redis-server"), self.configuration(node)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                    start_new_session=True)
            self.children[child.pid] = child
            node["pid"] = child.pid
        # Before anything else, so that `stop` finds the servers even if this program is killed now.
        self.save()

    def last_words(self, node):
        with open(os.path.join(self.folder, node["folder"], "log"), "rb") as log:
            lines = log.read()[-4096:].decode(errors="replace").strip().splitlines()
        # What Redis itself points at (`>>> 'line'` and the line after it), else the last line.
        for index, line in enumerate(lines):
            if line.startswith(">>> "):
                return " ".join(lines[index:index + 2])
        return next((line for line in reversed(lines) if "rror" in line or "ailed" in line),
                    lines[-1] if lines else "it wrote nothing")

    def wait(self, nodes, test, what, deadline):
        """Until `test(connection, node)` holds on every node given; a server that ends ends it."""
        waiting = list(nodes)
        while waiting:
            still = []
            for node in waiting:
                if self.has_ended(node):
                    raise Failure("the server on port %d ended at start: %s (its log is %s)" % (
                        node["port"], self.last_words(node),
                        os.path.join(self.folder, node["folder"], "log")))
                try:
                    connection = self.connect(node)
                    try:
                        done = test(connection, node)
                    finally:
                        connection.close()
                except OSError:
                    done = False
                if not done:
                    still.append(node)
            waiting = still
            if waiting:
                if time.monotonic() > deadline:
                    raise Failure("the server on port %d is not %s in time: see its log in %s" % (
                        waiting[0]["port"], what, os.path.join(self.folder, waiting[0]["folder"])))
                time.sleep(POLL_SECONDS)

    def form(self, deadline):
        share = [SLOTS * index // self.state["masters"]
                 for index in range(self.state["masters"] + 1)]
        # Distinct epochs from the start: else the nodes settle collisions first, one by one. All of
        # them before anybody meets: a node that knows another one takes no epoch any more.
        for node in self.nodes:
            connection = self.connect(node)
            connection.call("CLUSTER", "SET-CONFIG-EPOCH", node["index"] + 1)
            node["id"] = connection.call("CLUSTER", "MYID").decode()
            connection.close()
        for node in self.nodes:
            connection = self.connect(node)
            if node["role"] == "master":
                first, end = share[node["index"]], share[node["index"] + 1]
                connection.call("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            # Everybody meets everybody: waiting for gossip to spread costs seconds.
            for other in self.nodes[node["index"] + 1:]:
                connection.call("CLUSTER", "MEET", other["host"], other["port"], other["busPort"])
            connection.close()

        def follows(connection, node):
            connection.call("CLUSTER", "REPLICATE", self.nodes[node["replicaOf"]]["id"])
            return True  # refused, and asked again, until this node knows its master

        self.wait([node for node in self.nodes if node["role"] == "replica"], follows,
                  "following its master", deadline)

    def ready(self, connection, _):
        replication = connection.fields("INFO", "replication")
        if replication["role"] == "slave" and replication["master_link_status"] != "up":
            return False
        if connection.fields("INFO", "persistence").get("loading", "0") != "0":
            return False
        if self.state["single"]:
            return True
        info = connection.fields("CLUSTER", "INFO")
        known = connection.call("CLUSTER", "NODES").decode()
        return (info["cluster_state"] == "ok" and int(info["cluster_slots_ok"]) == SLOTS
                and int(info["cluster_known_nodes"]) == len(self.nodes)
                and known.count("slave") == sum(n["role"] == "replica" for n in self.nodes)
                and "handshake" not in known and "fail" not in known)

    def refresh_roles(self):
        """After a failover the roles on disk are old."""
        for node in self.nodes:
            connection = self.connect(node)
            role = connection.fields("INFO", "replication")["role"]
            node["role"] = "replica" if role == "slave" else "master"
            connection.close()
        self.save()

    def discard(self):
        for node in self.nodes:
            shutil.rmtree(os.path.join(self.folder, node["folder"]), ignore_errors=True)
        for name in ("cluster.json", "seeds"):
            if os.path.exists(os.path.join(self.folder, name)):
                os.remove(os.path.join(self.folder, name))
        self.state = None

    # Stopping

    def stop(self):
        running = [node for node in self.nodes if self.runs(node)]
        for node in running:
            os.kill(node["pid"], signal.SIGTERM)
            os.kill(node["pid"], signal.SIGCONT)  # a paused server would not hear it
        deadline = time.monotonic() + STOP_SECONDS
        killed = False
        while any(self.runs(node) for node in running):
            if time.monotonic() > deadline:
                if killed:
                    raise Failure("the servers of %s do not end even by SIGKILL: see ps, and the"
                                  " disk they wait for" % self.folder)
                for node in running:
                    if self.runs(node):
                        os.kill(node["pid"], signal.SIGKILL)
                killed, deadline = True, time.monotonic() + STOP_SECONDS
            time.sleep(POLL_SECONDS)
        return len(running)
