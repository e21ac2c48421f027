"""Judges inputs before anything is done: names, shapes, allowed values. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clawstack.plugin_server.values import UNKNOWN, Secret, has_unknown, reveal
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, Labels, Many, Plain, Shape

Reason = tuple[str, str]
"""Path of the property, and the sentence about it."""

_FLAGS: Final = {"true": True, "false": False}


def converted(shape: Shape, value: Any) -> Any:  # noqa: PLR0911 - one line a shape
    """The value in its shape, where it can be had without guessing: ids come as texts, numbers as ids."""
    if isinstance(value, Secret):
        return Secret(converted(shape, value.value))
    match shape:
        case Plain.TEXT if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        case Plain.WHOLE if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
        case Plain.FLAG if isinstance(value, str):
            return _FLAGS.get(value, value)
        case Many(of=inner) if isinstance(value, list):
            return [converted(inner, item) for item in value]
        case Group(fields=fields) if isinstance(value, Mapping):
            return {
                name: converted(fields[name].shape, item) if name in fields else item
                for name, item in value.items()
                if item is not None
            }
        case _:
            return value


def with_defaults(shape: Shape, value: Any) -> Any:
    """With the defaults of what lies inside; those of the resource itself are put in by the provider."""
    if isinstance(value, Secret):
        return Secret(with_defaults(shape, value.value))
    match shape:
        case Many(of=inner) if isinstance(value, list):
            return [with_defaults(inner, item) for item in value]
        case Group(fields=fields) if isinstance(value, Mapping):
            given = {name: field.default for name, field in fields.items() if field.default is not None}
            inner_values = {
                name: with_defaults(fields[name].shape, item) if name in fields else item
                for name, item in value.items()
            }
            return {**given, **inner_values}
        case _:
            return value


def complaints(fields: Mapping[str, Field], values: Mapping[str, Any], path: str = "") -> Iterator[Reason]:
    """Everything wrong with the properties, each with its reason and remedy. Unknown values are not judged."""
    for name in values:
        if name not in fields:
            yield f"{path}{name}", f"{path}{name} is not a property here; there are {', '.join(sorted(fields))}."
    for name, field in fields.items():
        value = values.get(name)
        if value is None:
            if field.required:
                yield f"{path}{name}", f"{path}{name} is required."
        else:
            yield from _value_complaints(field, reveal(value), f"{path}{name}")


def _value_complaints(field: Field, value: Any, path: str) -> Iterator[Reason]:
    if value is UNKNOWN:
        return
    wrong = list(_shape_complaints(field.shape, value, path))
    yield from wrong
    if wrong or has_unknown(value):
        return
    if field.values and value not in field.values:
        yield path, f"{path} is {value!r}; allowed are {', '.join(map(repr, field.values))}."
        return
    reason = field.complaint(value) if field.complaint else None
    if reason:
        yield path, f"{path} {_quoted(field, value)}{reason}."


def _quoted(field: Field, value: Any) -> str:
    return f"{value!r} " if field.shape is Plain.TEXT and not field.secret and len(value) < 80 else ""  # noqa: PLR2004 - a line


def _shape_complaints(shape: Shape, value: Any, path: str) -> Iterator[Reason]:
    match shape:
        case Plain.TEXT:
            right = isinstance(value, str)
        case Plain.WHOLE:
            right = isinstance(value, int) and not isinstance(value, bool)
        case Plain.FLAG:
            right = isinstance(value, bool)
        case Many():
            right = isinstance(value, list)
        case Labels() | Group():
            right = isinstance(value, Mapping)
    if not right:
        yield path, f"{path} must be {_told(shape)}, not {type(value).__name__}."
        return
    yield from _inner_complaints(shape, value, path)


def _inner_complaints(shape: Shape, value: Any, path: str) -> Iterator[Reason]:
    match shape:
        case Labels():
            texts = {key: item for key, item in value.items() if item is not UNKNOWN}
            odd = [key for key, item in texts.items() if not isinstance(item, str)]
            reason = f"has something other than text for {odd[0]}" if odd else words.labels(texts)
            if reason:
                yield path, f"{path} {reason}."
        case Many(of=inner, least=least):
            if len(value) < least:
                yield path, f"{path} must have at least {least} entry."
            for index, item in enumerate(value):
                yield from _value_complaints(Field(shape=inner), item, f"{path}[{index}]")
        case Group(fields=fields):
            yield from complaints(fields, value, f"{path}.")
        case _:
            return


def _told(shape: Shape) -> str:
    match shape:
        case Plain():
            return f"a {shape.value}" if shape is not Plain.FLAG else shape.value
        case Labels():
            return "a map of texts"
        case Many():
            return "a list"
        case Group():
            return "an object"
