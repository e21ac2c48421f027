"""From ASGI to the API and back, with the failures that were ordered in between."""

from __future__ import annotations

import asyncio
import json
import math

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.frame.breaking import EXTENSION
from sandbox.stripe.api.core import Api, WireAnswer, WireRequest
from sandbox.stripe.api.http import base_of, path_below
from sandbox.stripe.model.faults import Fault, FaultKind, Faults
from sandbox.stripe.model.values import Json


class ApiEndpoint:
    """ASGI app for everything that is neither page nor control."""

    def __init__(self, api: Api, faults: Faults) -> None:
        self.api = api
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        wire = WireRequest(
            method=request.method,
            path=path_below(request),
            query=request.url.query,
            body=(await request.body()).decode(errors="replace"),
            headers=dict(request.headers),
            base=base_of(request, self.api.account),
        )
        fault = self.faults.take(f"{wire.method} {wire.path}")
        if fault is None:
            await _reply(self.api.answer(wire))(scope, receive, send)
            return
        await self._fail(fault, wire, scope, receive, send)

    async def _fail(self, fault: Fault, wire: WireRequest, scope: Scope, receive: Receive, send: Send) -> None:
        note = f"fault {fault.kind.value}{' after effect' if fault.after_effect else ''}"
        proper: WireAnswer | None = None
        if fault.after_effect or fault.kind is FaultKind.SLOW:
            proper = self.api.answer(wire, note)
        else:
            self._log(wire, note)
        if fault.kind in (FaultKind.SLOW, FaultKind.TIMEOUT):
            await asyncio.sleep(fault.seconds)
        if fault.kind in (FaultKind.RESET, FaultKind.TIMEOUT):
            await _hang_up(scope, send)
            return
        response = _reply(proper) if fault.kind is FaultKind.SLOW and proper else _spoiled(fault)
        await response(scope, receive, send)

    def _log(self, wire: WireRequest, note: str) -> None:
        """A request that never took effect is listed as well."""
        key = wire.headers.get("idempotency-key")
        self.api.account.requests.add(
            request="", method=wire.method, path=wire.path, params={}, key=key, status=0, error=None, note=note
        )


def _reply(answer: WireAnswer) -> Response:
    content = json.dumps(answer.body, indent=2)
    return Response(content, status_code=answer.status, headers=answer.headers, media_type="application/json")


def _spoiled(fault: Fault) -> Response:
    if fault.kind is FaultKind.GARBAGE:
        return Response("<html><body>Bad gateway</body></html>", media_type="text/html")
    if fault.kind is FaultKind.RATE_LIMIT:
        message, kind, code = "Request rate limit exceeded.", "invalid_request_error", "rate_limit"
        headers = {"Retry-After": str(math.ceil(fault.retry_after)), "Stripe-Rate-Limited-Reason": "global-rate"}
    else:
        message, kind, code = "An unknown error occurred.", "api_error", None
        headers = {}
    error: Json = {"message": message, "type": kind} | ({"code": code} if code else {})
    content = json.dumps({"error": error})
    return Response(content, status_code=int(fault.kind.value), headers=headers, media_type="application/json")


async def _hang_up(scope: Scope, send: Send) -> None:
    """Closes the connection without an answer; where the server cannot do that, an answer that stops half-way."""
    cut = scope.get("extensions", {}).get(EXTENSION)
    if cut is not None:
        cut()
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
