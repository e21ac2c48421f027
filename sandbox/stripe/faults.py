"""API failures ordered by a test: the next N requests that match go wrong in one chosen way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sandbox.stripe.values import Json


class Fault(StrEnum):
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


@dataclass(kw_only=True, slots=True)
class Order:
    """One instruction. `after_effect`: the request takes effect first, only the answer is lost or spoiled."""

    kind: Fault
    count: int = 1
    match: str = ""
    """Regular expression over `METHOD /path`; empty matches everything."""
    after_effect: bool = False
    retry_after: float = 1.0
    seconds: float = 5.0

    def fits(self, request: str) -> bool:
        """Whether it applies."""
        return self.count > 0 and re.search(self.match, request) is not None

    def as_json(self) -> Json:
        """For listing."""
        return {
            "kind": self.kind.value,
            "count": self.count,
            "match": self.match,
            "after_effect": self.after_effect,
            "retry_after": self.retry_after,
            "seconds": self.seconds,
        }


class Faults:
    """Orders in force. Kept in memory only: a restart heals the API."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def add(self, values: Json) -> Order:
        """Raises ValueError naming the field that is wrong."""
        unknown = set(values) - set(Order.__dataclass_fields__)
        if unknown:
            raise ValueError(
                f"Unknown field: {', '.join(sorted(unknown))}. Known: {', '.join(Order.__dataclass_fields__)}."
            )
        kinds = ", ".join(kind.value for kind in Fault)
        if str(values.get("kind")) not in set(Fault):
            raise ValueError(f"kind must be one of {kinds}.")
        order = Order(**{**values, "kind": Fault(str(values["kind"]))})
        re.compile(order.match)
        self.orders.append(order)
        return order

    def take(self, request: str) -> Order | None:
        """The order for this request, its count lowered."""
        for order in self.orders:
            if order.fits(request):
                order.count -= 1
                self.orders = [left for left in self.orders if left.count > 0]
                return order
        return None

    def clear(self) -> None:
        """Everything works again."""
        self.orders = []
