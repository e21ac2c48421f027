"""Labels and label selectors. Source: docs.hetzner.cloud, labels and label selector."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from sandbox.hcloud.model.errors import ApiError, invalid

Selector = Callable[[Mapping[str, str]], bool]

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]{0,61}[A-Za-z0-9])?"
_PREFIX: Final = r"(?:[a-z0-9](?:[a-z0-9\-.]{0,251}[a-z0-9])?/)?"
_KEY: Final = re.compile(f"{_PREFIX}{_NAME}")
_VALUE: Final = re.compile(f"(?:{_NAME})?")
_SET: Final = re.compile(rf"({_PREFIX}{_NAME})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL: Final = re.compile(rf"({_PREFIX}{_NAME})\s*(==|!=|=)\s*({_NAME})?")
_EXISTS: Final = re.compile(rf"(!?)\s*({_PREFIX}{_NAME})")
_OUTER_COMMA: Final = re.compile(r",(?![^(]*\))")


def checked_labels(value: object) -> dict[str, str]:
    """Return labels as a dictionary. Raises invalid_input naming the wrong key or value."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("labels", "must be an object")
    for key, text in value.items():
        if not _KEY.fullmatch(str(key)):
            raise invalid("labels", f"label key {key!r} is invalid: letters, digits, -, _, . (63), optional prefix/")
        if not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise invalid("labels", f"label value {text!r} is invalid: letters, digits, -, _, . (63) or empty")
    return dict(value)


def parsed_selector(text: str) -> Selector:
    """Return what tells whether labels match all requirements of `text`. Raises invalid_input."""
    wanted = [_requirement(part.strip()) for part in _OUTER_COMMA.split(text) if part.strip()]
    if not wanted and text:
        raise _unreadable(text)
    return lambda labels: all(fits(labels) for fits in wanted)


def _requirement(text: str) -> Selector:
    if found := _SET.fullmatch(text):
        return _in_set(found[1], {one.strip() for one in found[3].split(",")}, wanted=found[2] == "in")
    if found := _EQUAL.fullmatch(text):
        return _in_set(found[1], {found[3] or ""}, wanted=found[2] != "!=")
    if found := _EXISTS.fullmatch(text):
        key, wanted = found[2], not found[1]
        return lambda labels: (key in labels) == wanted
    raise _unreadable(text)


def _in_set(key: str, values: set[str], *, wanted: bool) -> Selector:
    """An absent key satisfies `!=` and `notin`, as in Kubernetes, whose rules Hetzner follows."""
    return lambda labels: (labels[key] in values) == wanted if key in labels else not wanted


def _unreadable(text: str) -> ApiError:
    return invalid("label_selector", f"cannot parse {text!r}")
