"""Where everything lies on the machine. One module, so that user data, bundle, agent and tests agree.

/etc/clawstack/machine.json       what the machine is and whom it asks; no secret
/etc/clawstack/boot-token         until it was exchanged, 0600
/etc/clawstack/agent-token        afterwards, 0600
/opt/clawstack/{node,openclaw}/<version>
/run/clawstack/gateway.env        tokens of the gateway, 0600, in memory only
/var/lib/clawstack/volume/<slug>  config/ (root's), state/ (the gateway's), logs/ (root's): on the encrypted volume
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

ACCOUNT: Final = "claw"
PORT: Final = 18789
"""Of the gateway, on loopback; a machine has one."""
ETC: Final = PurePosixPath("/etc/clawstack")
MACHINE_FILE: Final = ETC / "machine.json"
BOOT_TOKEN_FILE: Final = ETC / "boot-token"
PINS_FILE: Final = ETC / "pins"
OPT: Final = PurePosixPath("/opt/clawstack")
RUN: Final = PurePosixPath("/run/clawstack")
GATEWAY_ENV: Final = RUN / "gateway.env"
WORKSPACE: Final = RUN / "workspace"
HOSTS: Final = RUN / "hosts"
"""The gateway's own /etc/hosts: the platform's name, which no name server tells it."""
"""Persona files on their way into the state directory; the gateway's own account copies them."""
VOLUME: Final = PurePosixPath("/var/lib/clawstack/volume")
"""Where the volume is mounted. The cell lies in a folder below: a file system's root has folders of its own."""
AGENT: Final = PurePosixPath("/usr/local/lib/clawstack/agent.mjs")
BOOTSTRAP: Final = PurePosixPath("/usr/local/lib/clawstack/bootstrap.sh")
UNITS: Final = PurePosixPath("/etc/systemd/system")
GATEWAY_UNIT: Final = "clawstack-gateway.service"
AGENT_UNIT: Final = "clawstack-agent.service"
WALL_UNIT: Final = "clawstack-wall.service"
WALL_FILE: Final = ETC / "wall.nft"
DEVICES: Final = "/dev/disk/by-id/scsi-0HC_Volume_*"
"""How Hetzner's volumes show themselves; a cell has one."""
MAPPING: Final = "clawstack"
"""/dev/mapper/clawstack: the opened volume."""


def cell_root(slug: str) -> PurePosixPath:
    """The cell's folder."""
    return VOLUME / slug


def node_home(version: str) -> PurePosixPath:
    """Where this Node is unpacked."""
    return OPT / "node" / version


def openclaw_home(version: str) -> PurePosixPath:
    """Where this OpenClaw is installed."""
    return OPT / "openclaw" / version
