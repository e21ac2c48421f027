#!/bin/sh
# Makes this machine a node of its cluster. Every step first looks whether it is done: run it as often as you like.
#   node.sh [ROOT]   ROOT stands before the path of every file that is read or written; empty on a node.
set -eu

root="${1:-}"
etc="$root/etc/rancher/k3s"
# shellcheck source=/dev/null
. "$root/etc/clawstack/node.env"
: "${NODE_NETWORK:?}" "${SERVICE:?}" "${K3S_URL:?}" "${K3S_SHA256:?}" "${MAY_INITIALISE:?}"
: "${JOIN_ADDRESSES?}" "${TOKENS_URL?}" "${TOKEN_FILES:?}"

say() { printf 'clawstack-node: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# within SECONDS WHAT COMMAND...: again and again until it succeeds; ends the script when the time is over.
within() {
  limit="$1" what="$2" waited=0
  shift 2
  until "$@"; do
    [ "$waited" -lt "$limit" ] || die "gave up after $waited s: $what"
    [ "$((waited % 60))" -ne 0 ] || say "waiting for $what"
    sleep 5
    waited=$((waited + 5))
  done
}

# keep FILE MODE: standard input becomes FILE at once or not at all.
keep() {
  mkdir -p "${1%/*}"
  (umask 077 && cat >"$1.new")
  chmod "$2" "$1.new"
  mv -f "$1.new" "$1"
}

# The network may be attached after the first boot, and its interface is called differently on each server type.
find_interface() {
  found="$(ip -o -4 addr show to "$NODE_NETWORK" | head -n 1)"
  [ -n "$found" ] || return 1
  # `3: enp7s0    inet 10.0.1.10/32 brd ...`
  interface="$(printf '%s\n' "$found" | awk '{ print $2 }')"
  address="$(printf '%s\n' "$found" | awk '{ sub("/.*", "", $4); print $4 }')"
}

# One fetch, then the address is worth nothing: TOKENS_URL answers lines `token=...` and `agent-token=...`.
fetch_tokens() {
  answer="$(curl --silent --show-error --fail --proto '=https' --max-time 20 "$TOKENS_URL")" || return 1
  for name in $TOKEN_FILES; do
    value="$(printf '%s\n' "$answer" | sed -n "s/^$name=//p" | head -n 1)"
    [ -n "$value" ] || die "TOKENS_URL gave no $name"
    printf '%s' "$value" | keep "$etc/$name" 600
  done
}

have_tokens() {
  for name in $TOKEN_FILES; do
    [ -s "$etc/$name" ] || return 1
  done
}

is_verified() {
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$K3S_SHA256" ]
}

download() {
  curl --silent --show-error --fail --location --proto '=https' --connect-timeout 10 --max-time 300 \
    --output "$binary.part" "$K3S_URL"
}

install_k3s() {
  binary="$root/usr/local/bin/k3s"
  if ! is_verified "$binary"; then
    mkdir -p "${binary%/*}"
    within 600 "the download of $K3S_URL" download
    if ! is_verified "$binary.part"; then
      rm -f "$binary.part"
      die "$K3S_URL has not the pinned SHA-256 $K3S_SHA256: not installed"
    fi
    chmod 755 "$binary.part"
    mv -f "$binary.part" "$binary"
  fi
  for tool in kubectl crictl ctr; do
    [ -e "$root/usr/local/bin/$tool" ] || ln -s k3s "$root/usr/local/bin/$tool"
  done
}

# The certificate is not known yet; the token proves the cluster to the node and the node to the cluster.
answers() { [ "$(curl --silent --insecure --fail --max-time 5 "https://$1:6443/ping")" = pong ]; }

find_server() {
  for candidate in $JOIN_ADDRESSES; do
    if answers "$candidate"; then
      server="$candidate"
      return 0
    fi
  done
  return 1
}

# A first node that is replaced finds its cluster and joins it; only where there is none it makes one.
choose_cluster() {
  join="$etc/config.yaml.d/20-join.yaml"
  [ ! -s "$join" ] || return 0
  if [ "$MAY_INITIALISE" = yes ] && ! find_server; then
    printf 'cluster-init: true\n' | keep "$join" 600
  else
    within 900 "the API of one of: $JOIN_ADDRESSES" find_server
    printf 'server: https://%s:6443\n' "$server" | keep "$join" 600
  fi
}

is_ready() {
  systemctl is-active --quiet "$SERVICE" || return 1
  if [ "$SERVICE" = k3s ]; then
    "$root/usr/local/bin/k3s" kubectl get --raw /readyz >/dev/null 2>&1
  else
    [ -s "$root/var/lib/rancher/k3s/agent/kubelet.kubeconfig" ]
  fi
}

[ ! -e "$root/var/lib/clawstack/joined" ] || exit 0 # upgrades in place are the upgrade controller's
within 300 "an interface with an address in $NODE_NETWORK" find_interface
printf 'node-ip: %s\nflannel-iface: %s\n' "$address" "$interface" | keep "$etc/config.yaml.d/10-network.yaml" 600
[ -z "$TOKENS_URL" ] || have_tokens || within 120 "the tokens" fetch_tokens
have_tokens || die "no tokens in $etc"
install_k3s
choose_cluster
sysctl --quiet --load="$root/etc/sysctl.d/90-kubelet.conf" || die "kernel parameters were refused; the kubelet would not start"
systemctl daemon-reload
systemctl enable --quiet "$SERVICE"
systemctl start --no-block "$SERVICE"
within 900 "$SERVICE to be ready" is_ready
date -u +%FT%TZ | keep "$root/var/lib/clawstack/joined" 644
say "$address has joined"
