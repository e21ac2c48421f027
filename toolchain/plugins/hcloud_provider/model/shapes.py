"""The words in which a resource's properties are described: their shape, and what Hetzner makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Complaint = Callable[[Any], str | None]
"""What is wrong with a known, revealed value of the right shape, None when nothing is."""


class Plain(Enum):
    """A value without parts."""

    TEXT = "text"
    WHOLE = "whole number"
    FLAG = "true or false"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A map of texts."""


@dataclass(frozen=True, kw_only=True)
class Many:
    """A list. Unless `ordered`, its order means nothing, and another order is no change."""

    of: Shape
    ordered: bool = False
    least: int = 0


@dataclass(frozen=True, kw_only=True)
class Group:
    """An object with named fields."""

    fields: Mapping[str, Field]


Shape = Plain | Labels | Many | Group


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a resource or of a group inside it."""

    shape: Shape
    required: bool = False
    default: Any = None
    """What Check puts in where nothing was given."""
    computed: bool = False
    """Left to Hetzner where nothing was given: then whatever is there is right."""
    replaces: bool = False
    """Cannot be changed in place."""
    readable: bool = True
    """Whether the API tells it back."""
    secret: bool = False
    """Secret in state though nobody marked it."""
    values: Sequence[str] = ()
    """The allowed set, empty where anything goes."""
    complaint: Complaint | None = None
    same: Callable[[Any, Any], bool] | None = None
    """Whether two values mean the same, where plain comparison is too strict."""


def text(**more: Any) -> Field:
    """A text."""
    return Field(shape=Plain.TEXT, **more)


def whole(**more: Any) -> Field:
    """A whole number."""
    return Field(shape=Plain.WHOLE, **more)


def flag(**more: Any) -> Field:
    """True or false."""
    return Field(shape=Plain.FLAG, **more)


def labels() -> Field:
    """Labels, as nearly everything has them."""
    return Field(shape=Labels())


def many(of: Shape, *, ordered: bool = False, least: int = 0, **more: Any) -> Field:
    """A list of `of`."""
    return Field(shape=Many(of=of, ordered=ordered, least=least), **more)


def group(fields: Mapping[str, Field], **more: Any) -> Field:
    """An object inside a resource."""
    return Field(shape=Group(fields=fields), **more)


def empty(shape: Shape) -> Any:
    """What a property that nobody gave is equal to, unless it is left to Hetzner."""
    match shape:
        case Plain.TEXT:
            return ""
        case Plain.WHOLE:
            return 0
        case Plain.FLAG:
            return False
        case Many():
            return []
        case Labels() | Group():
            return {}
