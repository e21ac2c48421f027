"""Names of properties here and at Hetzner: camelCase and snake_case; and ids made of two parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from clawstack.errors import InvalidInputError

_INNER_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake(name: str) -> str:
    """`redirectHttp` as `redirect_http`."""
    return _INNER_CAPITAL.sub(lambda match: f"_{match[1].lower()}", name)


def camel(name: str) -> str:
    """`redirect_http` as `redirectHttp`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snaked(values: Mapping[str, Any]) -> dict[str, Any]:
    """All keys, at any depth, as Hetzner writes them; nothing that is not given."""
    return {
        snake(name): snaked(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }


def camelled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse."""
    return {
        camel(name): camelled(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }


def split_id(identity: str, form: str, *, separator: str = "-") -> tuple[str, str]:
    """The two parts of an id; raises InvalidInputError that shows the `form` it should have."""
    first, found, second = identity.partition(separator)
    if not found or not first or not second:
        raise InvalidInputError(f"{identity!r} is no such id.", remedy=f"Its form is {form}.")
    return first, second
