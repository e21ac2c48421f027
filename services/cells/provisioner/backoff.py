"""How long to wait before a failed operation is tried again."""

from __future__ import annotations

import random
from typing import Final

_BASE: Final = 2.0
_CEILING: Final = 300.0
_SPREAD: Final = 0.2

#: After this many temporary failures in a row people are told; the tries go on.
TELL_AFTER: Final = 6


def delay(failures: int, *, at_least: float, random_unit: float | None = None) -> float:
    """Seconds before try `failures + 1`: doubling, bounded, spread by a fifth so that cells do not come in step.

    `at_least`: what the failure itself asked for.
    """
    unit = random.random() if random_unit is None else random_unit  # noqa: S311 - spreads load, guards nothing
    grown = min(_BASE * 2.0 ** max(failures - 1, 0), _CEILING)
    return max(grown, at_least) * (1 - _SPREAD + 2 * _SPREAD * unit)
