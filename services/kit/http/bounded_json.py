"""JSON whose cost is known before anything is built from it: few enough items, not too deep, no doubt about its values.

What makes JSON expensive is its shape: 8 MiB of `[],[],...` take more than a second and 200 MB in every parser there is,
with the loop standing still (`bench/json_bodies.py`), while 8 MiB of text take 15 ms in the standard library's. So the bytes
are counted first, in a few passes of C that allocate little, and the standard library parses what is left: it alone of
the three passes on the lone surrogates that JavaScript writes when it cuts a text in the middle of an emoji.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ALL_SQUARE: Final = bytes.maketrans(b"{}", b"[]")

PairsHook = Callable[[list[tuple[str, Any]]], Any]


class JsonShapeError(ValueError):
    """More items, or deeper, than is read here. A ValueError, as everything that is not JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonBounds:
    """How much is read at most."""

    items: int
    """Members of objects and lists, and the containers themselves, all together."""
    depth: int
    """Containers inside each other."""


def decode(raw: bytes | str, bounds: JsonBounds, *, pairs: PairsHook | None = None, finite: bool = True) -> Any:
    """The value in `raw`, UTF-8; `pairs` makes objects, as `object_pairs_hook` does.

    Raises JsonShapeError above the bounds, before anything is parsed, and ValueError for what is not JSON: NaN, integers
    of more than 4,300 digits (Python's own limit), any other encoding; with `finite` also numbers beyond a double, which
    nobody could write again.
    """
    check_shape(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass"), bounds)
    text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
    number = _finite if finite else None
    return json.loads(text, object_pairs_hook=pairs, parse_constant=_refuse, parse_float=number)


def check_shape(raw: bytes, bounds: JsonBounds) -> None:
    """Raises JsonShapeError when `raw` has more items or is deeper than `bounds`, ValueError for NUL bytes and for
    brackets that do not match.
    """
    if b"\0" in raw:  # UTF-16 and -32, which could hide quotes and brackets from counting; in UTF-8 JSON has none
        raise ValueError("JSON is UTF-8 without NUL bytes")
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Each text is an item, or the name of one: so what follows never cuts into more pieces than are allowed anyhow.
    if raw.count(b'"') > 4 * bounds.items:
        raise JsonShapeError(_too_many(bounds))
    outside = b"".join(raw.split(b'"')[::2])
    if sum(map(outside.count, (b",", b"[", b"{"))) > bounds.items:
        raise JsonShapeError(_too_many(bounds))
    _check_depth(outside.translate(_ALL_SQUARE, _NOT_BRACKETS), bounds)


def _check_depth(brackets: bytes, bounds: JsonBounds) -> None:
    """Each turn takes away the innermost pairs of all branches: at most `depth` passes over what was counted above."""
    for _ in range(bounds.depth):
        left = brackets.replace(b"[]", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    if b"[]" in brackets:
        raise JsonShapeError(f"deeper than {bounds.depth}")
    if brackets:  # not left to the parser, which goes down as deep as there are open ones
        raise ValueError("its brackets do not match")


def _too_many(bounds: JsonBounds) -> str:
    return f"more than {bounds.items} items"


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond a double")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
