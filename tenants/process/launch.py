"""What the launcher is told: one JSON file per cell, mode 0600, because the environment in it holds secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tenants.process.files import read_json, write_json


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the cell; each is enforced by the strongest means this machine offers."""

    memory_mb: int
    cpu: float
    disk_mb: int
    max_processes: int
    max_open_files: int


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One gateway: what is started, as whom, with which limits."""

    slug: str
    root: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: str
    port: int
    """Loopback port on which the gateway answers `/startupz`."""
    uid: int | None
    gid: int | None
    limits: Limits
    stop_seconds: float
    """How long the gateway may take to finish its work after SIGTERM."""
    reaches: tuple[str, ...] = ()
    """HOST:PORT of all that the cell may call, as the network wall lets it through."""
    silence_seconds: float = 120.0
    """How long a gateway that once answered may say nothing on `/healthz` before it is ended and started again: pods have
    the same (`tenants.namespace.workload`). A turn never blocks the event loop for more than seconds."""
    nonce: str = ""
    """Changes when a restart is wanted although nothing else changed."""

    def write(self, path: Path) -> None:
        """Write the launch file."""
        write_json(path, asdict(self), mode=0o600)

    def digest(self) -> str:
        """Tells two launches apart; the launcher records which one it started."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises KeyError or TypeError when the file is missing or not of this form."""
        data: dict[str, Any] = read_json(path)
        lists = {name: tuple(data[name]) for name in ("argv", "reaches")}
        return cls(**{**data, **lists, "limits": Limits(**data["limits"])})
