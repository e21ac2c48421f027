"""The user data of a machine (cloud-init): enough to get Node, verified, and to ask the platform for the rest.

No secret of the cell is in it: every program on the machine can read user data from the metadata service for as long
as the machine lives. The boot token in it is worth nothing once it was exchanged, or a few minutes later.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shlex
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from clawstack.errors import PermanentError
from clawstack.naming import server_name
from tenants.server.places import (
    ACCOUNT,
    AGENT,
    AGENT_UNIT,
    BOOT_TOKEN_FILE,
    BOOTSTRAP,
    MACHINE_FILE,
    PINS_FILE,
    UNITS,
    node_home,
    openclaw_home,
)
from tenants.server.settings import ServerSettings
from tenants.server.units import agent_unit
from tenants.spec import CellSpec

LIMIT_BYTES: Final = 32 * 1024
"""Hetzner's (API documentation, "Create a Server", user_data)."""
_PACKAGES: Final = (
    "ca-certificates",
    "cryptsetup-bin",
    "curl",
    "e2fsprogs",
    "nftables",
    "unattended-upgrades",
    "util-linux",
    "xz-utils",
)
_APT: Final = PurePosixPath("/etc/apt/apt.conf.d")
_UPGRADES: Final = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "true";
Unattended-Upgrade::Automatic-Reboot-Time "05:30";
Unattended-Upgrade::Remove-Unused-Dependencies "true";
"""


def user_data(spec: CellSpec, settings: ServerSettings, *, token: str) -> str:
    """The cloud-config for a new machine of `spec`. Equal inputs give equal text.

    Raises PermanentError when it is larger than Hetzner takes, which only a larger agent could bring about.
    """
    text = "#cloud-config\n" + yaml.safe_dump(_document(spec, settings, token), sort_keys=False, width=1000)
    if len(text.encode()) > LIMIT_BYTES:
        raise PermanentError(
            f"The user data of {spec.slug} has {len(text.encode())} bytes; Hetzner takes {LIMIT_BYTES}.",
            code="user_data_too_large",
        )
    return text


def boot_template(spec: CellSpec, settings: ServerSettings, *, location: str | None = None) -> str:
    """Names what a machine is born with, apart from its token: another template needs another machine.

    `location`: where the cell is, if not in the settings' first.
    """
    told = [user_data(spec, settings, token=""), location or settings.location]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


@cache
def agent_source(name: str) -> str:
    """`agent.mjs` or `bootstrap.sh`, as it is sent to machines."""
    return files("tenants.server").joinpath("agent", name).read_text(encoding="utf-8")


def _document(spec: CellSpec, settings: ServerSettings, token: str) -> dict[str, Any]:
    return {
        "hostname": server_name(spec.slug),
        "preserve_hostname": False,
        "timezone": "UTC",
        "ssh_pwauth": False,
        "disable_root": not settings.ssh_keys,
        "package_update": True,
        "packages": list(_PACKAGES),
        "write_files": [
            _file(MACHINE_FILE, json.dumps(_machine(spec, settings), indent=1, sort_keys=True) + "\n"),
            _file(PINS_FILE, _pins(spec, settings)),
            _file(BOOT_TOKEN_FILE, token + "\n"),
            _file(_APT / "52clawstack", _UPGRADES, mode="0644"),
            _file(UNITS / AGENT_UNIT, agent_unit(settings), mode="0644"),
            _packed(BOOTSTRAP, agent_source("bootstrap.sh"), mode="0755"),
            _packed(AGENT, agent_source("agent.mjs"), mode="0644"),
        ],
        "runcmd": [[str(BOOTSTRAP)]],
    }


def _machine(spec: CellSpec, settings: ServerSettings) -> dict[str, Any]:
    return {
        "slug": spec.slug,
        "platform": settings.platform_url,
        "node": str(node_home(settings.node.version)),
        "openclaw": {
            "home": str(openclaw_home(settings.openclaw.version)),
            "version": settings.openclaw.version,
            "lock_sha256": settings.openclaw.lock_sha256,
            "registry": settings.npm_registry,
        },
    }


def _pins(spec: CellSpec, settings: ServerSettings) -> str:
    """What `bootstrap.sh` needs before there is Node, as shell variables."""
    arch = settings.arch(spec.plan)
    values = {
        "ACCOUNT": ACCOUNT,
        "AGENT_UNIT": AGENT_UNIT,
        "NODE_HOME": str(node_home(settings.node.version)),
        "NODE_SHA256": settings.node.sha256[arch],
        "NODE_URL": settings.node.url.replace("{version}", settings.node.version).replace("{arch}", arch),
        "PLATFORM": settings.platform_url,
        "SLUG": spec.slug,
        "SSH": "on" if settings.ssh_keys else "off",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _file(path: PurePosixPath, text: str, *, mode: str = "0600") -> dict[str, str]:
    return {"path": str(path), "permissions": mode, "owner": "root:root", "content": text}


def _packed(path: PurePosixPath, text: str, *, mode: str) -> dict[str, str]:
    return {**_file(path, _gz_b64(text), mode=mode), "encoding": "gz+b64"}


@cache
def _gz_b64(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
