# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

# The checkout, whatever folder the caller stands in.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"

# The Redis Stack server is kept in the build folder: nothing old is installed system-wide, and
# removing the folder removes it.
export COORDINATOR_REDIS_STACK="${COORDINATOR_REDIS_STACK:-$root/.build/redis-stack}"

program="$(basename "$0")"

# One line for each thing done, on stderr: stdout is for data.
say() {
    printf '%s\n' "$*" >&2
}

# Ends the script with one sentence that names what went wrong and the way out.
fail() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

# The command is there, whatever folder the caller's PATH finds it in.
has() {
    command -v "$1" >/dev/null 2>&1
}

# Swift is the one thing not installed from here: its packages are not in Debian.
need_swift() {
    has swift || fail "Swift 6.2 or newer is needed and there is no 'swift' in PATH:" \
        "install the toolchain for Debian 12 from swift.org, put its usr/bin in PATH, and run this again"
    local output version
    if ! output="$(swift --version 2>&1)"; then
        say "$output"
        fail "'swift --version' fails (its message is above): install the Debian packages that the" \
            "toolchain in $(dirname "$(command -v swift)") needs, as swift.org lists them for Debian 12"
    fi
    version="$(grep -o 'Swift version [0-9.]*' <<<"$output" | head -n 1)" || true
    version="${version##* }"
    local major="${version%%.*}" minor="${version#*.}"
    minor="${minor%%.*}"
    [[ "$major" =~ ^[0-9]+$ && "$minor" =~ ^[0-9]+$ ]] ||
        fail "'swift --version' says nothing readable: check the toolchain in PATH ($(command -v swift))"
    ((major > 6 || (major == 6 && minor >= 2))) ||
        fail "Swift 6.2 or newer is needed and 'swift' in PATH is $version:" \
            "install a newer toolchain from swift.org and put its usr/bin first in PATH"
}

# Installs those of the Debian packages given that are not installed. Asks apt only if one is missing.
need_packages() {
    local package missing=()
    for package in "$@"; do
        [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]} == 0)) && return
    local as_root=()
    if ((EUID != 0)); then
        has sudo || fail "the Debian packages ${missing[*]} are missing and this is neither root nor" \
            "a user with sudo: have them installed (apt-get install ${missing[*]}) and run this again"
        as_root=(sudo)
    fi
    say "installing Debian packages: ${missing[*]}"
    local log
    log="$(mktemp)"
    # An update that partly fails (one foreign source is down) may still have brought Debian's lists:
    # whether the packages can be had is what decides.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update >"$log" 2>&1 || true
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "apt-get could not install ${missing[*]} (its last lines are above, all of it is in $log):" \
            "check the network and the package sources, or install them by hand, and run this again"
    fi
    rm -f "$log"
}
