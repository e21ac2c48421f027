"""Trouble on demand: the next API requests that match go wrong in one chosen way."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from sandbox.frame.faults import Orders, PatternOrder


class FaultKind(StrEnum):
    """What goes wrong."""

    ERROR = "500"
    RATE_LIMIT = "429"
    UNAVAILABLE = "503"
    SLOW = "slow"
    """Waits `seconds`, then answers properly."""
    TIMEOUT = "timeout"
    """Waits `seconds`, then closes without an answer."""
    RESET = "reset"
    """Closes the connection at once, without an answer."""
    GARBAGE = "garbage"
    """Answers 200 with an HTML page."""


class Fault(PatternOrder):
    """One order. `after_effect`: the request takes effect first, only the answer is lost or spoiled.

    `match` is a regular expression over `METHOD /path`. On the wire `times` is called `count`, and 0 orders nothing.
    """

    kind: FaultKind
    times: int = Field(default=1, alias="count")
    after_effect: bool = False
    retry_after: float = 1.0
    seconds: float = 5.0

    @field_validator("kind", mode="before")
    @classmethod
    def _as_text(cls, kind: Any) -> str:
        """A status may be given as a number."""
        return str(kind)


class Faults(Orders[Fault]):
    """Orders in the sequence they came; each is used up by its requests."""

    def __init__(self) -> None:
        super().__init__(Fault)

    def take(self, request: str) -> Fault | None:
        """The order for this request, its count lowered."""
        return self.first(lambda fault: fault.times > 0 and fault.matches(request))
