"""The LLM proxy as an ASGI application: raw, because it is a hot path (no framework, no middleware of its own)."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from clawstack.errors import InvalidInputError, PayloadTooLargeError, TemporaryError
from clawstack.logs import get_logger
from services.kit.database.connection import Database
from services.kit.http.bearer import bearer_token
from services.kit.http.bodies import drain, read_body
from services.traffic.ledger.usage import usage_of
from services.traffic.llm_proxy import documents, errors
from services.traffic.llm_proxy.authenticator import ProxyAuthenticator
from services.traffic.llm_proxy.errors import RefusedError
from services.traffic.llm_proxy.exchange import Exchange
from services.traffic.llm_proxy.limits import InFlight, RateLimit
from services.traffic.llm_proxy.metrics import ProxyMetrics
from services.traffic.llm_proxy.request import read_chat_request
from services.traffic.llm_proxy.schemas import Caller

log = get_logger(__name__)

#: A conversation that fills a context window has about 2 MB; the rest is for images.
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_DRAIN_SECONDS: Final = 30.0
_DRAINED: Final = 3  # times the limit: a client that is still sending would not read the answer

_Handler = Callable[["_Call"], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    caller: Caller
    path: str
    scope: Scope
    receive: Receive
    client: AsgiClient


class LlmProxy:
    """`/v1/chat/completions`, `/v1/models`, `/v1/catalog`, `/v1/usage`; everything else is refused, being unmetered."""

    def __init__(
        self,
        *,
        database: Database,
        authenticator: ProxyAuthenticator,
        rate_limit: RateLimit,
        exchange: Exchange,
        metrics: ProxyMetrics,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._rate_limit = rate_limit
        self._exchange = exchange
        self._metrics = metrics
        self._max_body = max_body_bytes
        self._bodies = InFlight()
        self._routes: dict[str, tuple[str, _Handler]] = {
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/models": ("GET", self._models),
            "/v1/catalog": ("GET", self._catalog),
            "/v1/usage": ("GET", self._usage),
            "/v1/messages": ("POST", self._messages),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        client = AsgiClient(send)
        try:
            await self._answer(scope, receive, client)
        except RefusedError as refusal:
            self._metrics.refusals.labels(refusal.code).inc()
            await client.refuse(refusal)
        except InvalidInputError as error:
            await client.refuse(errors.bad_request(error.message, code=error.code))
        except TemporaryError:
            self._metrics.refusals.labels("ledger_unavailable").inc()
            await client.refuse(errors.unavailable())
        except Exception as error:
            log.exception("unexpected_error", error=type(error).__name__)
            message = "Something went wrong on our side; it has been recorded."
            await client.refuse(RefusedError(500, "internal_error", message, kind="server_error"))

    async def _answer(self, scope: Scope, receive: Receive, client: AsgiClient) -> None:
        caller = await self._authenticator.caller(_presented(scope["headers"]))
        self._rate_limit.take(caller.token_key)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        method, handler = self._routes.get(path, (scope["method"], self._elsewhere))
        if scope["method"] != method:
            raise errors.wrong_method(method)
        await handler(_Call(caller=caller, path=path, scope=scope, receive=receive, client=client))

    async def _chat(self, call: _Call) -> None:
        with self._bodies.counted(call.caller.tenant_id):  # before they are in memory: 8 MiB each
            request = read_chat_request(await self._body(call))
        await _while_connected(self._exchange.serve(call.caller, request, call.client), call.receive)

    async def _models(self, call: _Call) -> None:
        await call.client.json(documents.models(self._exchange.models_of(call.caller)))

    async def _catalog(self, call: _Call) -> None:
        await call.client.json(documents.catalog(self._exchange.models_of(call.caller)))

    async def _usage(self, call: _Call) -> None:
        async with self._database.transaction() as session:
            used = await usage_of(session, call.caller.tenant_id, call.caller.plan)
        await call.client.json(documents.usage(used))

    async def _messages(self, call: _Call) -> None:
        """Anthropic's protocol is not metered yet, and so refused, in the shape that its clients read."""
        refusal = errors.not_offered(call.path)
        self._metrics.refusals.labels(refusal.code).inc()
        body = {"type": "error", "error": {"type": "not_found_error", "message": refusal.message}}
        await call.client.json(body, status=refusal.http_status, headers=refusal.headers())

    async def _elsewhere(self, call: _Call) -> None:
        raise errors.not_offered(call.path)

    async def _body(self, call: _Call) -> bytes:
        try:
            return await read_body(call.scope, call.receive, limit=self._max_body)
        except PayloadTooLargeError:
            await drain(call.receive, at_most=self._max_body * _DRAINED, seconds=_DRAIN_SECONDS)
            raise errors.too_large(self._max_body) from None
        except ClientDisconnect:
            raise errors.bad_request("The request broke off.") from None
        except TimeoutError:
            raise errors.too_slow_body() from None


class AsgiClient:
    """Sends one answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def whole(self, data: bytes, *, request_id: uuid.UUID) -> None:
        """A successful answer in one piece."""
        await self._start(200, "application/json", [("x-request-id", str(request_id))], length=len(data))
        await self._send({"type": "http.response.body", "body": data})

    async def start_stream(self, *, request_id: uuid.UUID) -> None:
        """Begin a stream of server-sent events."""
        headers = [("x-request-id", str(request_id)), ("x-accel-buffering", "no")]
        await self._start(200, "text/event-stream; charset=utf-8", headers)

    async def write(self, data: bytes) -> None:
        """A part of a stream."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """The end of a stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def json(
        self, document: dict[str, Any], *, status: int = 200, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A JSON document."""
        data = json.dumps(document, separators=(",", ":")).encode()
        await self._start(status, "application/json", headers, length=len(data))
        await self._send({"type": "http.response.body", "body": data})

    async def refuse(self, refusal: RefusedError) -> None:
        """An error; after the first byte only the end of the connection can tell."""
        if self._started:
            await self.finish()
            return
        await self.json(refusal.body(), status=refusal.http_status, headers=refusal.headers())

    async def _start(
        self, status: int, content_type: str, headers: Iterable[tuple[str, str]], *, length: int | None = None
    ) -> None:
        self._started = True
        pairs = [("content-type", content_type), ("cache-control", "no-store"), *headers]
        if length is not None:
            pairs.append(("content-length", str(length)))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token of exactly one `Authorization: Bearer` or `x-api-key` header, None otherwise."""
    found = [(name, value) for name, value in headers if name in {b"authorization", b"x-api-key"}]
    if len(found) == 1 and found[0][0] == b"x-api-key":
        return found[0][1].decode("latin-1")
    return bearer_token(found) if len(found) == 1 else None


async def _while_connected(work: Awaitable[None], receive: Receive) -> None:
    """Run `work` to its end, or cancel it as soon as the client leaves; either way it has ended on return."""
    working = asyncio.ensure_future(work)
    watching = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    if not working.cancelled():
        working.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
