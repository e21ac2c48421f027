"""Trouble on demand: orders in the sequence they came, each used up by what it means.

Kept in memory only: a restart heals.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import ValidationError, field_validator

from sandbox.frame.strict import Strict
from sandbox.frame.values import Json


class Order(Strict):
    """One order for trouble, for `times` matches."""

    times: int = 1

    def lets_pass(self) -> bool:
        """Tell whether this match goes unharmed, and count it."""
        return False


class PatternOrder(Order):
    """An order for what a regular expression is found in; an empty one means everything."""

    match: str = ""

    @field_validator("match")
    @classmethod
    def _is_an_expression(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is no regular expression: {error}.") from error
        return text

    def matches(self, text: str) -> bool:
        """Tell whether this text is meant."""
        return re.search(self.match, text) is not None


OrderT = TypeVar("OrderT", bound=Order)


class Orders(Generic[OrderT]):
    """Orders in force; `shape` says what one looks like."""

    def __init__(self, shape: type[OrderT]) -> None:
        self._shape = shape
        self._orders: deque[OrderT] = deque()

    def add(self, values: Json) -> OrderT:
        """Take an order. Raises ValueError that names what is wrong."""
        known = [field.alias or name for name, field in self._shape.model_fields.items()]
        if unknown := set(values) - set(known):
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
        try:
            order = self._shape.model_validate(values)
        except ValidationError as error:
            wrong = (f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in error.errors())
            raise ValueError("; ".join(wrong)) from error
        self._orders.append(order)
        return order

    def listed(self) -> list[Json]:
        """Return what is in force, as it was ordered."""
        return [order.model_dump(mode="json", by_alias=True) for order in self._orders]

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def first(self, meant: Callable[[OrderT], bool]) -> OrderT | None:
        """Return the first order that means what happens now, and count it."""
        for order in self._orders:
            if meant(order) and not order.lets_pass():
                order.times -= 1
                if order.times <= 0:
                    self._orders.remove(order)
                return order
        return None
