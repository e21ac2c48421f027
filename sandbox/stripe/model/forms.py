"""Stripe's form encoding: `items[0][price]=x`, `expand[]=y`, `metadata[k]=v`, and typed reading of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe.model.errors import ApiError, missing_parameter
from sandbox.stripe.model.values import Json

MAX_FIELDS = 1000
_KEY = re.compile(r"\[([^\[\]]*)\]")
_TRUTH = {"true": True, "false": False}


def decode(body: str) -> Json:
    """Nested dicts of strings. Lists stay dicts with numbers as keys, because `metadata[0]` is a name, not an index.

    Raises ApiError when there are more than MAX_FIELDS fields or a name is both a value and a container.
    """
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        message = f"Invalid request body: at most {MAX_FIELDS} parameters are read."
        raise ApiError(message) from error
    root: Json = {}
    for name, value in pairs:
        _place(root, name, value)
    return root


def _place(root: Json, name: str, value: str) -> None:
    head, _, rest = name.partition("[")
    steps = [head, *_KEY.findall("[" + rest)] if rest else [head]
    node = root
    for position, step in enumerate(steps[:-1]):
        child = node.setdefault(step or str(len(node)), {})
        if not isinstance(child, dict):
            message = f"Invalid parameter: {'.'.join(steps[: position + 1])} is both a value and an object."
            raise ApiError(message, param=name)
        node = child
    node[steps[-1] or str(len(node))] = value


def children(node: Any) -> list[Any]:
    """The list that a dict with numbers as keys stands for."""
    if not isinstance(node, dict):
        return []
    return [node[key] for key in sorted(node, key=lambda key: int(key) if key.isdigit() else 0)]


class Params:
    """One object of the request, read field by field; `path` is its name in error messages."""

    def __init__(self, values: Json, path: str = "") -> None:
        self.values = values
        self.path = path

    def name(self, key: str) -> str:
        """Full name of a field, as Stripe writes it in errors."""
        return f"{self.path}[{key}]" if self.path else key

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def require(self, keys: Iterable[str]) -> None:
        """Raises parameter_missing for the first of `keys` that is absent or empty."""
        for key in keys:
            if self.values.get(key) in (None, "", {}):
                raise missing_parameter(self.name(key))

    def text(self, key: str) -> str | None:
        """The value; an empty string is how a client unsets a field, and becomes None."""
        value = self.values.get(key)
        if isinstance(value, dict):
            raise ApiError(f"Invalid string: {value}", param=self.name(key))
        return value or None

    def must(self, key: str) -> str:
        """A required value."""
        self.require([key])
        return self.text(key) or ""

    def choice(self, key: str, allowed: Iterable[str], default: str) -> str:
        """One of `allowed`."""
        value = self.text(key) or default
        options = list(allowed)
        if value not in options:
            message = f"Invalid {self.name(key)}: must be one of {', '.join(options)}"
            raise ApiError(message, param=self.name(key))
        return value

    def whole(self, key: str) -> int | None:
        """An integer."""
        value = self.text(key)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,15}", value):
            raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=self.name(key))
        return int(value)

    def flag(self, key: str) -> bool | None:
        """A boolean."""
        value = self.text(key)
        if value is None:
            return None
        if value not in _TRUTH:
            raise ApiError(f"Invalid boolean: {value}", param=self.name(key))
        return _TRUTH[value]

    def texts(self, key: str) -> list[str]:
        """A list of strings."""
        return [str(item) for item in children(self.values.get(key))]

    def child(self, key: str) -> Params | None:
        """A nested object, or None when absent or unset."""
        value = self.values.get(key)
        if value in (None, ""):
            return None
        if not isinstance(value, dict):
            raise ApiError("Invalid object", param=self.name(key))
        return Params(value, self.name(key))

    def each(self, key: str) -> list[Params]:
        """A list of nested objects."""
        found = [item for item in children(self.values.get(key)) if isinstance(item, dict)]
        return [Params(item, f"{self.name(key)}[{index}]") for index, item in enumerate(found)]

    def metadata(self, old: Json | None = None, key: str = "metadata") -> Json:
        """`old` with the request's changes: an empty value removes a key, an empty metadata removes all."""
        value = self.values.get(key)
        if value is None:
            return dict(old or {})
        if not isinstance(value, dict):
            return {}
        merged = {**(old or {}), **{name: str(text) for name, text in value.items()}}
        return {name: text for name, text in merged.items() if text != ""}
