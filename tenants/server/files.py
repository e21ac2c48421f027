"""OpenClaw's files and variables as they are on the machine, from the same builder as on every other substrate."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from clawstack.errors import InvalidInputError
from tenants.openclaw import environment
from tenants.server.places import PORT, cell_root, node_home, openclaw_home
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec

#: A running gateway applies changes of all other sections (`gateway/configuration/hot-reload.md`).
_RESTART_SECTIONS: Final = ("gateway", "discovery")
_LOOPBACK: Final = re.compile(r"localhost|127\.[\d.]+|::1")


def on_machine(spec: CellSpec, settings: ServerSettings) -> CellSpec:
    """The same cell with the places and the port that it has on its machine.

    Raises InvalidInputError when the machine could not reach the platform at the cell's endpoints.
    """
    for url in (spec.endpoints.llm_base_url, spec.endpoints.telegram_api_root):
        _require_reachable(url, settings)
    data = spec.model_dump()
    data["port"] = PORT
    data["directories"] = {**data["directories"], "root": str(cell_root(spec.slug))}
    data["runtime"] = {
        "node": str(node_home(settings.node.version) / "bin" / "node"),
        "openclaw": str(openclaw_home(settings.openclaw.version) / "node_modules" / "openclaw" / "openclaw.mjs"),
        "version": settings.openclaw.version,
    }
    return CellSpec.model_validate(data)


def environment_file(variables: Mapping[str, str]) -> str:
    """Variables as systemd reads them from a file (systemd.exec(5), EnvironmentFile=)."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(variables.items()))


def restart_digest(spec: CellSpec, config: Mapping[str, Any], unit: str) -> str:
    """Changes exactly when the running gateway could not take the change over: then the agent restarts it.

    Ages in the persona files move on every day; they are taken along with the next restart. Keyed, because what
    customers tell about their families is guessable.
    """
    told = {
        "environment": environment(spec),
        "config": {section: config[section] for section in _RESTART_SECTIONS},
        "unit": unit,
        "bundle": spec.bundle.label(),
        "answers": dict(spec.answers),
        "nonce": spec.restart_nonce,
    }
    key = spec.backup_key.get_secret_value().encode()
    return hmac.new(key, json.dumps(told, sort_keys=True).encode(), hashlib.sha256).hexdigest()[:32]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _require_reachable(url: str, settings: ServerSettings) -> None:
    host = urlsplit(url).hostname or ""
    if not _LOOPBACK.fullmatch(host) or _LOOPBACK.fullmatch(urlsplit(settings.platform_url).hostname or ""):
        return
    raise InvalidInputError(
        f"The platform is at {host}, which on a server of its own is that server itself.",
        code="platform_unreachable_from_cell",
        remedy="Set CLAWSTACK_PUBLIC_URL to the address at which machines reach the platform.",
    )
