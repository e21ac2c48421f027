#!/bin/sh
# First start of a machine: an account for the gateway, Node by its checksum, then the agent takes over.
# Runs once per machine by cloud-init; running it again does no harm. CLAWSTACK_ROOT is empty except in a rehearsal.
set -eu
umask 022

ROOT=${CLAWSTACK_ROOT:-}
# shellcheck source=/dev/null
. "$ROOT/etc/clawstack/pins"

say() { echo "clawstack: $*"; }

# The platform hears of a failure by the boot token, which this does not use up. The token is never an argument.
fail() {
    say "$2"
    umask 077
    headers=$(mktemp)
    printf 'Authorization: Bearer %s\nContent-Type: application/json\n' \
        "$(cat "$ROOT/etc/clawstack/boot-token" 2>/dev/null || true)" >"$headers"
    printf '{"phase":"failed","code":"%s","reason":"%s"}' "$1" "$2" |
        curl --silent --show-error --max-time 20 --retry 5 --retry-all-errors --request POST \
            --header "@$headers" --data-binary @- "$PLATFORM/v1/servers/$SLUG/phone-home" || true
    rm -f "$headers"
    exit 1
}

close_ssh() {
    [ "$SSH" = on ] && return 0
    for unit in ssh.service ssh.socket; do
        systemctl disable --now "$unit" 2>/dev/null || true
    done
}

make_account() {
    id -u "$ACCOUNT" >/dev/null 2>&1 && return 0
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$ACCOUNT" ||
        fail account_failed "The account of the gateway could not be made."
}

install_node() {
    [ -e "$ROOT$NODE_HOME/.verified" ] && return 0
    nft delete table inet clawstack 2>/dev/null || true # the wall of a snapshot; its gateway does not run
    scratch=$(mktemp -d)
    curl --silent --show-error --fail --location --max-time 300 --retry 5 --retry-all-errors \
        --output "$scratch/node.tar.xz" "$NODE_URL" ||
        fail install_failed "Node could not be downloaded."
    echo "$NODE_SHA256  $scratch/node.tar.xz" | sha256sum --check --status ||
        fail checksum_mismatch "The Node that was downloaded does not have the pinned checksum."
    rm -rf "$ROOT$NODE_HOME.new" "$ROOT$NODE_HOME"
    mkdir -p "$ROOT$NODE_HOME.new"
    tar --extract --xz --file "$scratch/node.tar.xz" --directory "$ROOT$NODE_HOME.new" --strip-components 1 \
        --no-same-owner || fail install_failed "Node could not be unpacked."
    touch "$ROOT$NODE_HOME.new/.verified"
    mv "$ROOT$NODE_HOME.new" "$ROOT$NODE_HOME"
    rm -rf "$scratch"
}

close_ssh
make_account
install_node
# A snapshot brings the credentials of the machine that it was taken from; this one has a boot token of its own.
if [ -s "$ROOT/etc/clawstack/boot-token" ]; then
    rm -f "$ROOT/etc/clawstack/agent-token" "$ROOT/etc/clawstack/agent-secret"
fi
systemctl daemon-reload
systemctl enable "$AGENT_UNIT" || fail agent_failed "The agent could not be enabled."
systemctl restart "$AGENT_UNIT" || fail agent_failed "The agent could not be started."
say "ready for the agent"
