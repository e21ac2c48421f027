"""OpenClaw's files and variables as they are inside the pod.

The configuration stays in its ConfigMap: the gateway's own file is one line that includes it. So a change of the
ConfigMap reaches the running gateway, which watches what it includes (OpenClaw documentation,
`gateway/config-secrets-env.md` and `gateway/configuration/hot-reload.md`), and no pod is restarted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from clawstack.errors import InvalidInputError
from tenants.bundles.model import Bundle
from tenants.namespace.settings import Destination, NamespaceSettings
from tenants.openclaw import build_config, environment
from tenants.openclaw.environment import SECRET_NAMES
from tenants.spec import CellSpec

PORT: Final = 18789
VOLUME: Final = PurePosixPath("/cell")
"""Where the claim is mounted. The cell lives in a folder below: the root of a volume belongs to root, and OpenClaw
cannot change modes there (openclaw-operator issue 607)."""
CONFIG_MOUNT: Final = PurePosixPath("/etc/clawstack/config")
WORKSPACE_MOUNT: Final = PurePosixPath("/etc/clawstack/workspace")
CONFIG_FILE: Final = "openclaw.json"
ROOT_FILE: Final = "root.json"
NODE_OPTIONS: Final = "NODE_OPTIONS"
"""Follows the plan's memory; a heap that is smaller than it might be is no reason for a restart."""
#: A running gateway applies changes of all other sections (`gateway/configuration/hot-reload.md`).
_RESTART_SECTIONS: Final = ("gateway", "discovery")
#: Numeric modes leave the set-group-id bit that fsGroup puts on folders; letters take it away. Files are written anew and
#: renamed: copied, they would keep the mount's mode, and neither the gateway nor the next start could write them.
SEED_SCRIPT: Final = (
    # A link in the workspace's place is the cell's doing: one that leads nowhere would stop every start.
    'set -eu; umask 077; cd /cell; [ ! -L "$SLUG/state/workspace" ] || rm "$SLUG/state/workspace"; '
    'mkdir -p "$SLUG/config" "$SLUG/state/logs" "$SLUG/state/tmp" "$SLUG/state/workspace"; '
    'chmod u=rwx,go=,g-s "$SLUG" "$SLUG/config" "$SLUG/state"; '
    'put() { rm -f "$2/.seeding"; cat "$1" > "$2/.seeding"; mv -f "$2/.seeding" "$2/$3"; }; '
    f'put {CONFIG_MOUNT}/{ROOT_FILE} "$SLUG/config" {CONFIG_FILE}; '
    f'for file in {WORKSPACE_MOUNT}/*; do put "$file" "$SLUG/state/workspace" "${{file##*/}}"; done'
)


def in_pod(spec: CellSpec, settings: NamespaceSettings) -> CellSpec:
    """The same cell with the places and the port that it has inside its pod."""
    _require_reachable(spec.endpoints.llm_base_url, settings.proxy, "LLM proxy")
    _require_reachable(spec.endpoints.telegram_api_root, settings.router, "Telegram router")
    data = spec.model_dump()
    data["port"] = PORT
    data["directories"] = {**data["directories"], "root": str(VOLUME / spec.slug)}
    data["runtime"] = {**data["runtime"], "node": settings.node, "openclaw": settings.openclaw}
    return CellSpec.model_validate(data)


def pod_config(spec: CellSpec, bundle: Bundle, settings: NamespaceSettings) -> dict[str, Any]:
    """`openclaw.json`; `spec` is that of `in_pod`. The pod's address is the only one that anybody can call."""
    config = build_config(spec, bundle)
    gateway = {**config["gateway"], "bind": "lan"}
    if settings.route is not None:
        gateway["controlUi"] = {"enabled": True, "allowedOrigins": [f"https://{spec.slug}.{settings.route.domain}"]}
    return {**config, "gateway": gateway}


def config_files(config: Mapping[str, Any]) -> dict[str, str]:
    """What the ConfigMap holds."""
    return {
        CONFIG_FILE: json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        ROOT_FILE: json.dumps({"$include": str(CONFIG_MOUNT / CONFIG_FILE)}) + "\n",
    }


def pod_environment(spec: CellSpec) -> tuple[dict[str, str], dict[str, str]]:
    """Variables and secret variables; `spec` is that of `in_pod`."""
    variables = {**environment(spec), "OPENCLAW_INCLUDE_ROOTS": str(CONFIG_MOUNT)}
    plain = {name: value for name, value in variables.items() if name not in SECRET_NAMES}
    return plain, {name: variables[name] for name in sorted(SECRET_NAMES)}


def restart_digest(spec: CellSpec, config: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    """Changes exactly when the running gateway could not take the change over: then the pod is replaced.

    `pod` is the pod's specification without what a running pod can take over. Ages in the persona files move on every
    day; they are taken along with the next restart. Keyed, because what customers tell about their families is
    guessable.
    """
    plain, tokens = pod_environment(spec)
    told = {
        "environment": ({name: value for name, value in plain.items() if name != NODE_OPTIONS}, tokens),
        "config": {section: config[section] for section in _RESTART_SECTIONS},
        "bundle": spec.bundle.label(),
        "answers": dict(spec.answers),
        "nonce": spec.restart_nonce,
        "pod": pod,
    }
    key = spec.backup_key.get_secret_value().encode()
    return hmac.new(key, json.dumps(told, sort_keys=True).encode(), hashlib.sha256).hexdigest()[:32]


def _require_reachable(url: str, destination: Destination, what: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = destination.peer.addresses
    if host == "localhost" or host.startswith("127.") or host == "::1":
        reason = f"is at {host}, which inside a pod is the pod itself"
    elif addresses and _is_address(host) and (host not in addresses or port not in destination.ports):
        allowed = ", ".join(f"{address}:{number}" for address in addresses for number in destination.ports)
        reason = f"is at {host}:{port}, but the cluster's settings open only {allowed}"
    else:
        return
    raise InvalidInputError(
        f"The {what} {reason}; a cell of the namespace substrate cannot reach it.",
        code="platform_unreachable_from_cell",
        remedy="Give the address at which pods reach the platform, the same in the endpoints and the cluster's settings.",
    )


def _is_address(host: str) -> bool:
    return host.replace(".", "").isdigit() or ":" in host
