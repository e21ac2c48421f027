"""What a table of figures must say about the machine it was made on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil


def facts(packages: Iterable[str]) -> list[str]:
    """Date, machine, load and versions, one line each."""
    memory = psutil.virtual_memory().total / 2**30
    return [
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"machine: {os.cpu_count()} x {_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"load before the run: {os.getloadavg()[0]:.2f} (above 0.5 the figures are not worth keeping)",
        f"versions: Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
