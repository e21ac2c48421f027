"""What one application offers to its own requests, found by type.

It lies on the application's state: routers are shared by every application of a process, and nothing else may be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from fastapi import Depends
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

T = TypeVar("T")

_STATE: Final = "provided"
_KIND: Final = "kind"


def provide(app: Starlette, things: Iterable[object]) -> None:
    """Let requests to `app` find these things. Once per application."""
    setattr(app.state, _STATE, tuple(things))


def find(connection: HTTPConnection, kind: type[T]) -> T:
    """The one `kind` of the application that this request goes to; raises LookupError when wiring gave none, or two."""
    things: tuple[object, ...] = getattr(connection.app.state, _STATE)
    found = [thing for thing in things if isinstance(thing, kind)]
    if len(found) != 1:
        raise LookupError(f"This application provides {len(found)} of {kind.__name__}, not one.")
    return found[0]


def provided(kind: type[T]) -> Any:
    """A FastAPI dependency that gives what `find` finds, to stand in an annotation."""

    async def found(connection: HTTPConnection) -> T:  # asynchronous: FastAPI gives plain functions a thread
        return find(connection, kind)

    setattr(found, _KIND, kind)
    return Depends(found)


def kind_of(call: object) -> type | None:
    """What a dependency of `provided` gives; None for any other."""
    kind: type | None = getattr(call, _KIND, None)
    return kind
