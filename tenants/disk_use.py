"""What a cell takes of its disk, and when that is worth telling: pure, for every substrate that counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Self

_NEAR: Final = 0.9


class DiskLevel(StrEnum):
    """How near to its limit a cell is."""

    FINE = "fine"
    NEAR = "near"
    """Nine tenths are taken: owner and operator are told."""
    FULL = "full"
    """The limit is passed: the gateway does not run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskUse:
    """What a cell takes, and may."""

    used_mb: int
    limit_mb: int
    entries: int
    most_entries: int

    @property
    def share(self) -> float:
        """Of what is nearer to its limit; above 1 when it is passed."""
        return max(self.used_mb / self.limit_mb, self.entries / self.most_entries)

    @property
    def level(self) -> DiskLevel:
        """What `share` means."""
        if self.trouble() is not None:
            return DiskLevel.FULL
        return DiskLevel.NEAR if self.share >= _NEAR else DiskLevel.FINE

    def record(self) -> dict[str, int]:
        """As the launcher writes it down."""
        return asdict(self)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self | None:
        """From the launcher's record; None where it has not counted yet."""
        try:
            return cls(**record["disk"])
        except (KeyError, TypeError):
            return None

    def trouble(self) -> str | None:
        """Why the gateway may not run, None while it may."""
        if self.used_mb > self.limit_mb:
            return f"the assistant's files take more than the {self.limit_mb} MiB of its plan"
        if self.entries > self.most_entries:
            return f"the assistant keeps more than the {self.most_entries} files of its plan"
        return None
