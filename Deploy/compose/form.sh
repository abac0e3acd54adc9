#!/bin/sh
# Makes one Redis Cluster of the servers whose addresses are given: the first half masters, the second their
# replicas. Again, when it is one, it changes nothing. Runs in the image of Redis.
set -eu

redis_cli=/opt/redis-stack/bin/redis-cli
REDISCLI_AUTH="$(cat /run/secrets/redis-password)"
export REDISCLI_AUTH
first="$1"
patience=120 # tries, a second apart

ask() {
    host="$1"
    shift
    "$redis_cli" -h "$host" "$@"
}

# Waits until a command's answer has the words, for each address.
wait_for() {
    words="$1"
    shift
    command="$1"
    shift
    for host in "$@"; do
        tries=0
        # shellcheck disable=SC2086 # the command is words
        until ask "$host" $command 2>/dev/null | grep -q "$words"; do
            tries=$((tries + 1))
            if [ "$tries" -ge "$patience" ]; then
                echo "form: $host does not answer '$command' with '$words' in $patience s:" \
                    "look at its log" >&2
                exit 1
            fi
            sleep 1
        done
    done
}

wait_for PONG ping "$@"
# What a server kept says whether there is a cluster: its state is "fail" for some seconds after each start.
if ask "$first" cluster info | grep -q '^cluster_slots_assigned:16384'; then
    wait_for cluster_state:ok "cluster info" "$@"
    echo "form: it is a cluster already"
    exit 0
fi
servers=""
for host in "$@"; do servers="$servers $host:6379"; done
# shellcheck disable=SC2086 # the servers are words
"$redis_cli" --cluster create $servers --cluster-replicas 1 --cluster-yes
wait_for cluster_state:ok "cluster info" "$@"
