"""Pulumi's property values as Python values and back.

On the wire every property map is a protobuf `Struct`; what JSON cannot say is said by signatures (source:
`pulumi/runtime/rpc.py` of the SDK and `sdk/go/common/resource/properties.go`):

- a secret is an object whose signature key holds the secret signature, with its content under `value`;
- an unknown (a value that only the real update will know) is one of seven reserved strings;
- an output value is an object that says unknown and secret at once.

Here they are `Secret(value)` and `UNKNOWN`. Assets, archives and resource references stay the objects they are on
the wire, so that they survive a round trip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol, not a password
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWN_STRINGS: Final = frozenset({
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    UNKNOWN_STRING,
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
    "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
    "e48ece36-62e2-4504-bad9-02848725956a",  # archive
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
})  # fmt: skip
_EXACT_INTEGERS: Final = 2**53
"""Numbers on the wire are doubles: whole ones up to here come back as `int`."""


class Unknown(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = UNKNOWN_STRING


UNKNOWN: Final = Unknown.UNKNOWN
"""A value that only the real update will know; seen in previews."""


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in state and masks on screen. Its repr never shows the content."""

    value: Any = field(repr=False)


def to_python(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The property map as plain dicts, lists, str, bool, int, float, None, `Secret` and `UNKNOWN`."""
    return {key: _value_to_python(value) for key, value in struct.fields.items()}


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The inverse of `to_python`; tuples become lists. Raises TypeError for a value Pulumi has no word for."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        struct.fields[key].CopyFrom(_value_to_proto(value))
    return struct


def reveal(value: Any) -> Any:
    """The same value with every `Secret`, at any depth, replaced by its content."""
    return _map_leaves(value, lambda leaf: reveal(leaf.value) if isinstance(leaf, Secret) else leaf)


def has_unknown(value: Any) -> bool:
    """Whether `UNKNOWN` is anywhere in the value."""
    return _any_leaf(value, lambda leaf: leaf is UNKNOWN)


def has_secret(value: Any) -> bool:
    """Whether a `Secret` is anywhere in the value."""
    return _any_leaf(value, lambda leaf: isinstance(leaf, Secret))


def _value_to_python(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWN_STRINGS else value.string_value
        case "number_value":
            number = value.number_value
            whole = math.isfinite(number) and number.is_integer() and abs(number) <= _EXACT_INTEGERS
            return int(number) if whole else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_value_to_python(item) for item in value.list_value.values]
        case "struct_value":
            return _object_to_python(value.struct_value)
        case _:
            return None


def _object_to_python(struct: struct_pb2.Struct) -> Any:
    content = to_python(struct)
    match content.get(SIGNATURE_KEY):
        case str() as signature if signature == SECRET_SIGNATURE:
            return Secret(content.get("value"))
        case str() as signature if signature == OUTPUT_SIGNATURE:
            inner = content.get("value", UNKNOWN)
            return Secret(inner) if content.get("secret") is True else inner
        case _:
            return content


def _value_to_proto(value: Any) -> struct_pb2.Value:
    match value:
        case Secret():
            return _value_to_proto({SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.value})
        case Mapping():
            return struct_pb2.Value(struct_value=to_struct(value))
        case list() | tuple():
            items = [_value_to_proto(item) for item in value]
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
        case _:
            return struct_pb2.Value(**_scalar(value))


def _scalar(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"null_value": struct_pb2.NULL_VALUE}
        case Unknown():
            return {"string_value": UNKNOWN_STRING}
        case bool():  # before int: a bool is one
            return {"bool_value": value}
        case int() | float():
            return {"number_value": value}
        case str():
            return {"string_value": value}
        case _:
            kind = type(value).__name__
            raise TypeError(f"Pulumi has no value of type {kind}; give str, bool, int, float, list, dict or Secret.")


def _map_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    match value:
        case Mapping():
            return {key: _map_leaves(item, change) for key, item in value.items()}
        case list() | tuple():
            return [_map_leaves(item, change) for item in value]
        case _:
            return change(value)


def _any_leaf(value: Any, wanted: Callable[[Any], bool]) -> bool:
    if wanted(value):
        return True
    match value:
        case Secret():
            return _any_leaf(value.value, wanted)
        case Mapping():
            return any(_any_leaf(item, wanted) for item in value.values())
        case list() | tuple():
            return any(_any_leaf(item, wanted) for item in value)
        case _:
            return False
