"""What a route takes: how large a body, in which shape, and who is asked before any of it is read.

    @router.post("/v1/checkout")
    @takes(max_bytes=16 * 1024, before=admit_signup)
    async def create_checkout(...)

A route that says nothing takes a form or a small document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive
from typing_extensions import override

from clawstack.errors import PayloadTooLargeError, RequestError
from services.kit.http.bodies import drain, read_body
from services.kit.http.bounded_json import JsonBounds, check_shape
from services.kit.http.provided import find

_ATTRIBUTE: Final = "__intake__"
#: No document of `/v1` has more than a few hundred fields, nor is deeper than four.
_SHAPE: Final = JsonBounds(items=2000, depth=16)
_BODILESS: Final = frozenset({"GET", "HEAD"})
_DRAIN_FACTOR: Final = 32
_DRAIN_SECONDS: Final = 5.0
"""What is thrown away of a body that is too large, so that its sender gets to read why."""

Before = Callable[[Request], Awaitable[None]]
E_ = TypeVar("E_", bound=Callable[..., Any])
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What one route takes."""

    max_bytes: int = 64 * 1024
    """The largest document of `/v1` has a few kilobytes."""
    shape: JsonBounds | None = _SHAPE
    """Of JSON; None where the endpoint reads bytes and judges their shape itself."""
    before: Before | None = None
    """Asked before a byte of the body is read; what it raises is the answer."""


@dataclass(frozen=True, kw_only=True)
class BodyCeiling:
    """What an application provides: no route takes more, and none waits longer for the first byte."""

    max_bytes: int
    seconds: float = 30.0


def takes(*, max_bytes: int, shape: JsonBounds | None = _SHAPE, before: Before | None = None) -> Callable[[E_], E_]:
    """Says of an endpoint what its route takes; below the router's decorator."""

    def said(endpoint: E_) -> E_:
        setattr(endpoint, _ATTRIBUTE, Intake(max_bytes=max_bytes, shape=shape, before=before))
        return endpoint

    return said


def intake_of(endpoint: object) -> Intake:
    """What the route of this endpoint takes."""
    found: Intake = getattr(endpoint, _ATTRIBUTE, Intake())
    return found


class BoundedRoute(APIRoute):
    """A route that asks, counts and reads before its framework parses: 429, 413, 408 and 400 cost next to nothing."""

    @override
    def get_route_handler(self) -> _Handler:
        """The endpoint behind its intake."""
        original = super().get_route_handler()
        intake = intake_of(self.endpoint)

        async def handler(request: Request) -> Response:
            if request.method in _BODILESS:
                return await original(request)
            if intake.before is not None:
                await intake.before(request)
            try:
                body = await _read(request, intake)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is left to read it
            _check(request, body, intake.shape)
            return await original(Request(request.scope, _replay(body, request.receive)))

        return handler


async def _read(request: Request, intake: Intake) -> bytes:
    ceiling = find(request, BodyCeiling)
    limit = min(intake.max_bytes, ceiling.max_bytes)
    try:
        return await read_body(request.scope, request.receive, limit=limit, seconds=ceiling.seconds)
    except TimeoutError:
        said = "The request body did not arrive in time. Send it again."
        raise HTTPException(408, said, headers={"Connection": "close"}) from None
    except PayloadTooLargeError as error:
        await drain(request.receive, at_most=limit * _DRAIN_FACTOR, seconds=_DRAIN_SECONDS)
        raise PayloadTooLargeError(error.message, remedy="Send a smaller request.") from None


def _check(request: Request, body: bytes, shape: JsonBounds | None) -> None:
    if shape is None or "json" not in request.headers.get("content-type", "json"):
        return  # forms are bounded in their fields by the parser that reads them
    try:
        check_shape(body, shape)
    except ValueError as error:
        raise RequestError(f"The body is not JSON that is read here: {error}.", code="malformed_json") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()  # what follows a body is the disconnect
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
