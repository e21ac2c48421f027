"""Small shared vocabulary: JSON objects, ids, the clock."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable

from sandbox.frame.values import Json

__all__ = ["API_VERSION", "DAY", "Clock", "Json", "list_of", "new_id"]

API_VERSION = "2026-10-28.endive"
DAY = 86_400

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """`cus_` + 24 random letters and digits, the shape of Stripe's own ids."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"


class Clock:
    """Real time plus an offset that only grows: `advance` is how a test lives through a month."""

    def __init__(self, offset: int = 0, real: Callable[[], float] = time.time) -> None:
        self.offset = offset
        self._real = real

    def now(self) -> int:
        """Whole seconds, as all of Stripe's times."""
        return int(self._real()) + self.offset

    def advance_to(self, moment: int) -> None:
        """Moves forward to `moment`; a moment that has passed changes nothing."""
        self.offset += max(0, moment - self.now())


def list_of(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    """Stripe's list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
