"""How long to wait before something that failed is tried again: the one rule for jobs, messages and background work."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_MOST_DOUBLINGS: Final = 16
"""Bounds the arithmetic, not the pause: `longest` is reached long before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Pauses that double with every failure in a row."""

    first: float
    """Seconds after the first failure."""
    longest: float
    """Seconds that no growth exceeds."""
    spread: float = 0.2
    """The part by which a pause is shorter or longer by chance, so that many do not come in step."""

    def seconds(self, failures: int, *, at_least: float = 0.0, random_unit: float | None = None) -> float:
        """How long to wait after so many failures in a row.

        `at_least`: what the failure itself asked for; `random_unit` (0 to 1) stands in for chance.
        """
        doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
        pause = max(min(self.first * 2.0**doublings, self.longest), at_least)
        if not self.spread:
            return pause
        unit = random.random() if random_unit is None else random_unit  # noqa: S311 - spreads load, guards nothing
        return pause * (1 - self.spread + 2 * self.spread * unit)

    def span(self, failures: int, *, at_least: float = 0.0) -> timedelta:
        """The same as a time span."""
        return timedelta(seconds=self.seconds(failures, at_least=at_least))
