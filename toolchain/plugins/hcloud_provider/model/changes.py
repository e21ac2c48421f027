"""Compares properties: what differs between two wishes, and what of a wish the live object still shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawstack.plugin_server.values import UNKNOWN, Secret, has_secret, reveal
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, Labels, Many, Shape, empty

Fields = Mapping[str, Field]
Values = Mapping[str, Any]


def differing(fields: Fields, old: Values, new: Values) -> frozenset[str]:
    """Names of the properties that differ; both sides may hold secrets, the new one unknowns."""
    return frozenset(name for name, field in fields.items() if not same(field, old.get(name), new.get(name)))


def same(field: Field, old: Any, new: Any) -> bool:
    """Whether `new` wishes nothing that `old` has not. Not symmetric: what `new` leaves to Hetzner is right."""
    old, new = reveal(old), reveal(new)
    if new is UNKNOWN:
        return old is UNKNOWN
    if new is None:
        if field.computed:
            return True
        new = empty(field.shape)
    if old is None:
        old = empty(field.shape)
    if field.same is not None and old is not UNKNOWN:
        return field.same(old, new)
    return _same(field.shape, old, new)


def _same(shape: Shape, old: Any, new: Any) -> bool:
    match shape:
        case Group(fields=fields) if isinstance(old, Mapping) and isinstance(new, Mapping):
            return all(same(field, old.get(name), new.get(name)) for name, field in fields.items())
        case Many(of=inner, ordered=ordered) if isinstance(old, list) and isinstance(new, list):
            if len(old) != len(new):
                return False
            if ordered:
                return all(_item_same(inner, before, after) for before, after in zip(old, new, strict=True))
            return _same_bag(inner, old, new)
        case Labels() if isinstance(old, Mapping) and isinstance(new, Mapping):
            return dict(old) == dict(new)
        case _:
            return bool(old == new)


def _item_same(shape: Shape, old: Any, new: Any) -> bool:
    return new is not UNKNOWN and _same(shape, old, new)


def _same_bag(shape: Shape, old: list[Any], new: list[Any]) -> bool:
    left = list(old)
    for item in new:
        found = next((i for i, other in enumerate(left) if _item_same(shape, other, item)), None)
        if found is None:
            return False
        left.pop(found)
    return True


def still_shown(fields: Fields, wish: Values, live: Values) -> dict[str, Any]:
    """The wish as the live object shows it. What somebody changed is changed here as well, in the wish's own order."""
    shown: dict[str, Any] = {}
    for name, field in fields.items():
        wished, found = wish.get(name), live.get(name)
        if not field.readable or same(field, found, wished):
            shown[name] = wished
        elif wished is not None or not field.computed:
            shown[name] = Secret(found) if has_secret(wished) else found
    return {name: value for name, value in shown.items() if value is not None}


def adopted(fields: Fields, live: Values) -> dict[str, Any]:
    """The wish that an imported object fulfils: everything that it shows and that is not empty."""
    defaults = {name: field.default for name, field in fields.items() if field.default is not None}
    shown = {name: live.get(name) for name, field in fields.items() if field.readable}
    told = {name: value for name, value in shown.items() if value is not None}
    return {
        **defaults,
        **{name: value for name, value in told.items() if value != empty(fields[name].shape) or value is False},
    }


def outputs(fields: Fields, wish: Values, live: Values) -> dict[str, Any]:
    """Everything for the state: what is there, what was wished and cannot be read back, secrets marked."""
    told = {**{name: value for name, value in wish.items() if name in fields}, **live}
    return {
        name: Secret(reveal(value)) if _is_secret(fields.get(name), wish.get(name), value) else value
        for name, value in told.items()
        if value is not None
    }


def _is_secret(field: Field | None, wished: Any, value: Any) -> bool:
    return value not in (None, "") and (has_secret(wished) or (field is not None and field.secret))
