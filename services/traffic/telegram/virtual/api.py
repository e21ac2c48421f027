"""The application that cells talk to: `/bot<channel token>/<method>` and `/file/bot<channel token>/<path>`."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clawstack.errors import InvalidInputError, TemporaryError
from clawstack.logs import get_logger
from services.traffic.telegram.bot import Answer, Download, RealBot
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.tokens import ChannelAuthenticator
from services.traffic.telegram.virtual import answers, methods
from services.traffic.telegram.virtual.forwarding import Forwarder
from services.traffic.telegram.virtual.local import VirtualWebhooks
from services.traffic.telegram.virtual.parameters import Call, read_call
from services.traffic.telegram.virtual.polls import Polls

log = get_logger(__name__)

_MOST_CALLS_AT_ONCE: Final = 16
_SUCCESSES: Final = frozenset({200, 206})

_Forward = Callable[[uuid.UUID, str, Call], Awaitable[Answer]]


class VirtualBotApi:
    """One bot per cell, all of them the same bot outside."""

    def __init__(
        self,
        *,
        authenticator: ChannelAuthenticator,
        identity: BotIdentity,
        real_bot: RealBot,
        forwarder: Forwarder,
        polls: Polls,
        webhooks: VirtualWebhooks,
        metrics: RouterMetrics,
        max_upload_bytes: int,
    ) -> None:
        """`max_upload_bytes`: of one call's body, files included."""
        self._authenticator = authenticator
        self._identity = identity
        self._real_bot = real_bot
        self._forwarder = forwarder
        self._polls = polls
        self._webhooks = webhooks
        self._metrics = metrics
        self._max_upload_bytes = max_upload_bytes
        self._busy: Counter[uuid.UUID] = Counter()

    def app(self) -> Starlette:
        """The application to mount at `/telegram`."""
        routes = [
            Route("/bot{token}/{method}", self.call, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self.download, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})

    async def call(self, request: Request) -> Response:
        """One method call of a cell."""
        name = request.path_params["method"].lower()
        response = await self._guarded(self._call(request, name))
        result = "ok" if response.status_code in _SUCCESSES else str(response.status_code)
        self._metrics.calls.labels(_known_name(name), result).inc()
        return response

    async def download(self, request: Request) -> Response:
        """A file whose path the cell got from getFile."""
        return await self._guarded(self._download(request))

    async def _call(self, request: Request, name: str) -> Response:
        tenant_id = await self._tenant(request)
        with self._turn(tenant_id):
            call = await read_call(request, max_bytes=self._max_upload_bytes)
            try:
                return await self._dispatch(tenant_id, name, call, request)
            finally:
                await call.close()

    async def _dispatch(self, tenant_id: uuid.UUID, name: str, call: Call, request: Request) -> Response:
        if name in methods.PRETENDED:
            return answers.result(True)
        if name in methods.EMPTY:
            return answers.result(methods.EMPTY[name])
        if name in methods.LOCAL:
            return await self._answer_here(tenant_id, name, call, request)
        forward, method = self._forwarding(name)
        return _passed_on(await forward(tenant_id, method, call))

    def _forwarding(self, name: str) -> tuple[_Forward, str]:
        ways: tuple[tuple[_Forward, dict[str, str]], ...] = (
            (self._forwarder.chat_method, dict(methods.CHAT)),
            (self._forwarder.person_method, dict(methods.PERSON)),
            (self._forwarder.public_method, dict(methods.PUBLIC)),
        )
        for forward, names in ways:
            if name in names:
                return forward, names[name]
        if name.isascii() and name.isalpha():
            raise BotApiError(403, "Forbidden: the method is not available to hosted assistants")
        raise BotApiError(404, "Not Found: method not found")

    async def _answer_here(self, tenant_id: uuid.UUID, name: str, call: Call, request: Request) -> Response:
        result: object
        match methods.LOCAL[name]:
            case "getFile":
                return _passed_on(await self._forwarder.get_file(tenant_id, call))
            case "answerCallbackQuery":
                return _passed_on(await self._forwarder.answer_callback(tenant_id, call))
            case "getMe":
                result = await self._identity.me()
            case "setWebhook":
                result = await self._webhooks.set(tenant_id, call)
            case "deleteWebhook":
                result = await self._webhooks.delete(tenant_id, call)
            case "getWebhookInfo":
                result = await self._webhooks.info(tenant_id)
            case _:
                result = await self._poll(tenant_id, call, request)
        return answers.result(result)

    async def _poll(self, tenant_id: uuid.UUID, call: Call, request: Request) -> list[dict[str, Any]]:
        async def still_welcome() -> None:
            await self._tenant(request)

        return await self._polls.get_updates(tenant_id, call, request, still_welcome=still_welcome)

    async def _download(self, request: Request) -> Response:
        tenant_id = await self._tenant(request)
        path = request.path_params["path"]
        if not await self._forwarder.may_download(tenant_id, path):
            raise BotApiError(404, "Not Found")
        async with AsyncExitStack() as stack:
            source = self._real_bot.download(path, byte_range=request.headers.get("range"))
            download = await stack.enter_async_context(source)
            if download.status not in _SUCCESSES:
                raise BotApiError(404 if download.status < 500 else 502, "Not Found")  # noqa: PLR2004 - server errors
            keep_open = stack.pop_all()
            return StreamingResponse(
                _until_closed(download, keep_open), status_code=download.status, headers=dict(download.headers)
            )

    async def _tenant(self, request: Request) -> uuid.UUID:
        tenant_id = await self._authenticator.tenant_of(request.path_params["token"])
        if tenant_id is None:
            raise BotApiError(401, "Unauthorized")
        return tenant_id

    @contextmanager
    def _turn(self, tenant_id: uuid.UUID) -> Iterator[None]:
        """One cell cannot take all connections, nor all space for uploads."""
        if self._busy[tenant_id] >= _MOST_CALLS_AT_ONCE:
            raise BotApiError(429, "Too Many Requests: retry after 1", retry_after=1)
        self._busy[tenant_id] += 1
        try:
            yield
        finally:
            self._busy[tenant_id] -= 1
            if not self._busy[tenant_id]:
                del self._busy[tenant_id]

    @staticmethod
    async def _guarded(work: Awaitable[Response]) -> Response:
        """Every failure becomes an answer in the Bot API's shape; no exception's text reaches a cell or a log."""
        try:
            return await work
        except BotApiError as error:
            return answers.refusal(error.error_code, error.message, retry_after=error.retry_after)
        except InvalidInputError as error:
            return answers.refusal(400, f"Bad Request: {error.message}")
        except TemporaryError as error:
            return answers.unavailable(error.message)
        except Exception as error:  # noqa: BLE001 - the last net: its message could carry a URL or somebody's words
            log.error("telegram_call_failed", error=type(error).__name__, where=_place(error))  # noqa: TRY400
            return answers.refusal(500, "Internal Server Error")


def _passed_on(answer: Answer) -> Response:
    headers = {"Retry-After": str(answer.retry_after)} if answer.retry_after is not None else None
    return Response(answer.raw, answer.status, headers=headers, media_type="application/json")


async def _until_closed(download: Download, keep_open: AsyncExitStack) -> AsyncIterator[bytes]:
    async with keep_open:
        async for chunk in download.chunks:
            yield chunk


def _known_name(name: str) -> str:
    """The method as a label; names that cells make up are one label together."""
    for names in (methods.CHAT, methods.PERSON, methods.PUBLIC, methods.LOCAL, methods.PRETENDED):
        if name in names:
            return names[name]
    return name if name in methods.EMPTY else "other"


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"


async def _not_routed(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return answers.refusal(status, "Not Found" if status == 404 else "Method Not Allowed")  # noqa: PLR2004
