"""Compares objects: what changed between two wishes, and what of a wish the live object still shows."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from clawstack.plugin_server.values import UNKNOWN, Secret, reveal

Change = Literal["add", "delete", "update"]
_MISSING: Final = object()
_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_UNITS: Final[Mapping[str, Decimal]] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate(("K", "M", "G", "T", "P", "E"), start=1)},
}
#: What the server adds to an object; no wish of anybody's.
_SERVERS_OWN: Final = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp"}
)


def cleaned(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Without nulls and what providers keep for themselves: the object as the server should get it."""
    return {key: _clean(value) for key, value in properties.items() if value is not None and not key.startswith("__")}


def _clean(value: Any) -> Any:
    match value:
        case Secret():
            return Secret(_clean(value.value))
        case Mapping():
            return {key: _clean(member) for key, member in value.items() if member is not None}
        case list() | tuple():
            return [_clean(member) for member in value]
        case _:
            return value


def changes(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Change]]:
    """Paths (`spec.ports[0].port`) at which two revealed values differ; an unknown differs from everything."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _change(old.get(key, _MISSING), new.get(key, _MISSING), inner)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _MISSING
            after = new[index] if index < len(new) else _MISSING
            yield from _change(before, after, f"{path}[{index}]")
    elif old != new or new is UNKNOWN:
        yield path, "update"


def _change(old: Any, new: Any, path: str) -> Iterator[tuple[str, Change]]:
    if old is _MISSING:
        yield path, "add"
    elif new is _MISSING:
        yield path, "delete"
    else:
        yield from changes(old, new, path)


def still_shown(wish: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The wish as the live object shows it: what somebody changed or removed is changed or missing here as well."""
    shown = {key: _project(value, live.get(key, _MISSING)) for key, value in wish.items() if key != "stringData"}
    if "stringData" in wish:
        shown["stringData"] = _project(wish["stringData"], _decoded(live.get("data") or {}))
    return {key: value for key, value in shown.items() if value is not _MISSING}


def _project(wish: Any, live: Any) -> Any:
    if isinstance(wish, Secret):
        inner = _project(wish.value, live)
        return inner if inner is _MISSING else Secret(inner)
    if live is _MISSING:
        # The server leaves out what is empty or false.
        return wish if not wish else _MISSING
    if isinstance(wish, Mapping) and isinstance(live, Mapping):
        members = {key: _project(value, live.get(key, _MISSING)) for key, value in wish.items()}
        return {key: value for key, value in members.items() if value is not _MISSING}
    if isinstance(wish, list) and isinstance(live, list):
        return [_project(wish[i], value) if i < len(wish) else value for i, value in enumerate(live)]
    return wish if _same(wish, live) else live


def _same(wish: Any, live: Any) -> bool:
    """Equal, or the same quantity: the server writes 2048Mi as 2Gi and 1000m as 1."""
    if wish == live:
        return True
    first, second = _quantity(wish), _quantity(live)
    return first is not None and first == second


def _quantity(value: Any) -> Decimal | None:
    match = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    return Decimal(match[1]) * _UNITS[match[2] or ""] if match else None


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    decoded = {}
    for key, value in data.items():
        try:
            decoded[key] = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return decoded


def adopted(live: Mapping[str, Any]) -> dict[str, Any]:
    """The wish behind a live object that is imported: everything but what the server added."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _SERVERS_OWN}
    return {**{key: value for key, value in live.items() if key not in {"status", "metadata"}}, "metadata": metadata}


def outputs(live: Mapping[str, Any], wish: Mapping[str, Any]) -> dict[str, Any]:
    """What state keeps of a live object; secret is what a Secret holds and what was secret in the wish."""
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    marked = _marked({**live, "metadata": metadata}, wish)
    if live.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if marked.get(key) is not None:
                marked[key] = Secret(reveal(marked[key]))
    return dict(marked)


def _marked(live: Any, wish: Any) -> Any:
    if isinstance(wish, Secret):
        return Secret(live)
    if isinstance(live, Mapping) and isinstance(wish, Mapping):
        return {key: _marked(value, wish.get(key)) for key, value in live.items()}
    if isinstance(live, list) and isinstance(wish, list):
        return [_marked(value, wish[i] if i < len(wish) else None) for i, value in enumerate(live)]
    return live
