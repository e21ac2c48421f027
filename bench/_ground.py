"""The whole platform beside a control plane: stand-ins, PostgreSQL, `clawstack serve` with the policy pack on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from pydantic import SecretStr

from bench import _kwok
from bench._control_plane import ControlPlane
from clawstack.errors import NeedsAttentionError
from services.cli.demonstration.world import World
from tenants.namespace.settings import NamespaceSettings

_ADDRESS: Final = "192.0.2.1"
"""For documentation (RFC 5737). Nothing calls it: fake pods run nothing. A pod's platform must not be on loopback."""
_PORT: Final = 8080
_POLICY_PACK: Final = Path(__file__).resolve().parents[1] / "policies"
_IMAGE: Final = "clawstack.test/openclaw:2026.9.6@sha256:" + "0" * 64
"""Nobody pulls it."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A platform that serves."""

    world: World
    settings: NamespaceSettings
    platform: int
    """Number of its process."""
    others: Mapping[str, int]
    """Numbers of the stand-ins' process and the database server's."""


@contextmanager
def on_control_plane(plane: ControlPlane, concurrency: int) -> Iterator[Ground]:
    """Started, with prices at the stand-in for Stripe; everything is ended and removed at the end."""
    here = {"addresses": [_ADDRESS]}
    cluster: dict[str, Any] = {
        "cluster": "bench",
        "image": _IMAGE,
        "storage_class": _kwok.STORAGE_CLASS,
        "proxy": {"peer": here, "ports": [_PORT]},
        "router": {"peer": here, "ports": [_PORT]},
        "platform": here,
    }
    world = World(
        overrides={
            "CLAWSTACK_DEFAULT_SUBSTRATE": "namespace",
            "CLAWSTACK_KUBECONFIG": str(plane.kubeconfig),
            "CLAWSTACK_CLUSTER": json.dumps(cluster),
            "CLAWSTACK_CLUSTER_PLATFORM_URL": f"http://{_ADDRESS}:{_PORT}",
            "CLAWSTACK_POLICY_PACK": str(_POLICY_PACK),
            "CLAWSTACK_WORKER_CONCURRENCY": str(concurrency),
            "CLAWSTACK_SIGNUP_RATE_PER_MINUTE": "1000000",  # all customers sit at one address
            "CLAWSTACK_LOG_LEVEL": "WARNING",
        }
    )
    try:
        world.start_sandbox()
        platform = world.start_platform()
        world.run("admin", "stripe-setup", "--json")
        yield Ground(
            world=world,
            settings=NamespaceSettings.model_validate(
                {"kubeconfig": SecretStr(plane.kubeconfig.read_text()), **cluster}
            ),
            platform=platform,
            others={"PostgreSQL": _postgres(world.data), "stand-ins": _stand_ins(world)},
        )
    finally:
        world.close()


def _postgres(data: Path) -> int:
    for file in data.glob("postgres*/**/postmaster.pid"):
        return int(file.read_text().split()[0])
    raise NeedsAttentionError("The platform's database server cannot be found.")


def _stand_ins(world: World) -> int:
    for child in psutil.Process().children():
        if "sandbox" in child.cmdline() and str(world.folder) in " ".join(child.cmdline()):
            return child.pid
    raise NeedsAttentionError("The stand-ins' process cannot be found.")
