"""What the nouns that make cells may use: what every noun may, and the live side of the substrates."""

from __future__ import annotations

from dataclasses import dataclass

from services.cells.substrates.registry import Drivers
from services.kit.context import Platform


@dataclass(frozen=True, kw_only=True)
class CellPlatform(Platform):
    """The platform as a process sees it that makes cells or looks at them."""

    drivers: Drivers
    """The live side of the substrates."""
