"""The images that Deploy/verify runs, made here: no registry is asked."""

import os
import re
import shutil

from verify_host import HERE, ROOT, Wrong, say

NODE = "localhost/coordinator:verify"
BASE = "localhost/debian:verify"
SWIFT = "localhost/swift:verify"
REDIS = "localhost/redis-stack:verify"
PROMETHEUS = "localhost/prometheus:verify"
LARGEST_MEGABYTES = 150
# What Debian's own slim image leaves out.
SLIM = ["path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*",
        "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright", "force-unsafe-io"]
# What swift.org names for Debian 12, less what only the debugger and the package manager's downloads need.
SWIFT_NEEDS = ("binutils ca-certificates g++ git libc6-dev libcurl4 libedit2 libncurses6 libpython3.11 "
               "libsqlite3-0 libxml2 libz3-4 pkg-config tzdata")
INSTALL = ("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends %s "
           "&& rm -rf /var/lib/apt/lists/*")


def base(host):
    """A slim Debian 12 as a tar file, kept in the build folder."""
    path = os.path.join(host.build, "debian.tar")
    if not os.path.exists(path):
        say("making a slim Debian 12")
        options = ["--dpkgopt=" + option for option in SLIM]
        host.run(
            "mmdebstrap", "--variant=apt", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--include=usr-is-merged", *options, "--aptopt=Acquire::Languages \"none\"",
            "--aptopt=APT::Install-Recommends \"false\"", "bookworm", path + ".part.tar",
            "deb http://deb.debian.org/debian bookworm main",
            "deb http://deb.debian.org/debian-security bookworm-security main")
        os.rename(path + ".part.tar", path)
    host.podman("import", path, BASE)
    return path


def build(host, name, dockerfile, *options, context=None, seconds=600):
    host.buildah(
        "build", "--isolation", "chroot", "--network", "host", "--format", "docker", "--tag", name,
        *options, "-f", dockerfile, context or ROOT, seconds=seconds)


def write_dockerfile(host, name, text):
    folder = os.path.join(host.scratch, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "Dockerfile")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return folder, path


def node(host, base_tar, program):
    """The image of Deploy/Dockerfile; its stage `build` is left out where the program is built already."""
    if program:
        say("building the image around %s" % program)
        options = ["--build-context", "build=" + stand_in(host, program)]
        how = "with a program built before"
    else:
        say("building the image from source (ten minutes on two cores)")
        swift = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("swift") or ""))))
        if not os.path.exists(os.path.join(swift, "usr", "bin", "swift")):
            raise Wrong("there is no swift in PATH to build with: put the toolchain's usr/bin there")
        folder, path = write_dockerfile(
            host, "swift", "FROM %s\nRUN %s\nENV PATH=/opt/swift/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" % (
                BASE, INSTALL % SWIFT_NEEDS))
        build(host, SWIFT, path, context=folder)
        options = ["--build-arg", "BUILD_IMAGE=" + SWIFT, "--volume", swift + ":/opt/swift:ro"]
        how = "from source"
    build(host, NODE, os.path.join(HERE, "Dockerfile"), *options, "--build-arg", "RUNTIME_IMAGE=" + BASE,
          "--ignorefile", os.path.join(HERE, "Dockerfile.dockerignore"), seconds=3000)
    size = int(host.podman("image", "inspect", NODE, "--format", "{{.Size}}")) / 1e6
    missing = host.podman("run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/ldd", NODE,
                          "/usr/bin/coordinator")
    if "not found" in missing:
        raise Wrong("the image lacks libraries:\n" + missing)
    if size > LARGEST_MEGABYTES and "libswift" not in missing:
        raise Wrong("the image has %.0f MB, more than %d" % (size, LARGEST_MEGABYTES))
    return [("image, %s" % how, "%.0f MB" % size)]


def stand_in(host, program):
    """What the build stage would leave: the program stripped, and Swift's libraries where it needs them."""
    target = os.path.join(host.scratch, "prebuilt", "out", "usr", "bin")
    os.makedirs(target)
    host.run("install", "-m", "0755", "--strip", program, os.path.join(target, "coordinator"))
    # A debug build finds the toolchain's libraries beside itself.
    for path in re.findall(r"=> (/(?!lib/|lib64/|usr/lib)\S+\.so\S*)", host.run("ldd", program)):
        shutil.copy(path, target)
    return os.path.join(host.scratch, "prebuilt")


def program_of(host):
    """The program out of the image, to ask the nodes with."""
    target = os.path.join(host.scratch, "coordinator")
    container = host.podman("create", NODE).split()[-1]
    host.podman("cp", container + ":/usr/bin/coordinator", target)
    host.podman("rm", container)
    return target


def servers(host):
    """Stand-ins for the images of Redis Stack and Prometheus that the compose file names."""
    say("making images of Redis Stack and Prometheus")
    stack = host.environment.get("COORDINATOR_REDIS_STACK") or os.path.join(ROOT, ".build", "redis-stack")
    folder, path = write_dockerfile(
        host, "redis", "FROM %s\nCOPY redis-stack /opt/redis-stack\n"
        "ENV LD_LIBRARY_PATH=/opt/redis-stack/lib\n" % BASE)
    shutil.copytree(stack, os.path.join(folder, "redis-stack"))
    build(host, REDIS, path, context=folder)
    folder, path = write_dockerfile(
        host, "prometheus", "FROM %s\nRUN %s && mkdir /prometheus && chown 65534 /prometheus\nUSER 65534\n"
        "ENTRYPOINT [\"/usr/bin/prometheus\"]\n" % (BASE, INSTALL % "prometheus"))
    build(host, PROMETHEUS, path, context=folder)
