"""The versions this project runs on. A unit test holds them equal to the lock files in the folders of `toolchain`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PULUMI_MINIMUM: Final = (3, 181, 0)
"""First CLI whose refresh and destroy can run an inline program (checked by the Automation API itself)."""
PULUMI_BUILT: Final = "3.259.0"
"""The newest CLI whose Go modules the Go module proxy serves."""
PULUMI_RELEASE: Final = "3.272.0"
"""The official release that matches the pinned Python SDK."""
NODE: Final = "26.10.0"
NODE_MINIMUM: Final = (26, 1, 0)
"""What OpenClaw's `engines` asks of the current line of Node."""
OPENCLAW: Final = "2026.9.6"

HERE: Final = Path(__file__).parents[1]
PULUMI_PINS: Final = (HERE / "pulumi_cli" / "go.mod", HERE / "pulumi_cli" / "go.sum")
NODE_PINS: Final = (HERE / "node" / "package.json", HERE / "node" / "package-lock.json")
OPENCLAW_PINS: Final = (HERE / "openclaw" / "package.json", HERE / "openclaw" / "package-lock.json")


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The first `major.minor.patch` in the text, None where there is none."""
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def dotted(version: tuple[int, int, int]) -> str:
    """The version as people write it."""
    return ".".join(map(str, version))
