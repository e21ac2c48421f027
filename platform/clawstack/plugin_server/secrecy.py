"""Secret inputs in what a plugin or the engine says: found in the call itself, struck out of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf import struct_pb2

from clawstack.plugin_server.values import Secret, reveal, to_python
from clawstack.secret_forms import redactor_of

#: Where property maps are in the calls of the provider's protocol.
_MAPS: Final = ("properties", "news", "olds", "inputs", "old_inputs", "args")


def without_secrets(text: str, request: Any) -> str:
    """`text` without the secrets that the call brought, in whatever form they are quoted."""
    maps = [found for name in _MAPS if isinstance(found := getattr(request, name, None), struct_pb2.Struct)]
    return redactor_of(each for found in maps for each in secret_texts(found)).text(text)


def secret_texts(properties: struct_pb2.Struct) -> Iterator[str]:
    """Every text in a property map that is, or lies in, a secret."""
    yield from _within(to_python(properties), secret=False)


def texts_of(secret: Any) -> Iterator[str]:
    """Every text in a value that is secret as a whole."""
    yield from _within(secret, secret=True)


def _within(value: Any, *, secret: bool) -> Iterator[str]:
    match value:
        case Secret():
            yield from _within(reveal(value), secret=True)
        case dict():
            for member in value.values():
                yield from _within(member, secret=secret)
        case list():
            for member in value:
                yield from _within(member, secret=secret)
        case str() if secret:
            yield value
        case _:
            return
