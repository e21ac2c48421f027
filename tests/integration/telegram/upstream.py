"""A Bot API that answers as it is told, and remembers every byte: for what the well-behaved stand-in never does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(kw_only=True)
class Seen:
    """One call as it arrived."""

    method: str
    path: str
    content_type: str
    fields: dict[str, Any]
    files: dict[str, tuple[str, str, bytes]]


@dataclass(kw_only=True)
class Upstream:
    """The server; `answer` decides what comes back."""

    root: str = ""
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[Seen], Awaitable[web.StreamResponse]] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = await _read(request)
        if call.method == "getMe":
            return web.json_response({"ok": True, "result": {"id": 1, "is_bot": True, "username": "ToldBot"}})
        self.seen.append(call)
        if self.answer is not None:
            return await self.answer(call)
        return web.json_response({"ok": True, "result": {"message_id": 1}})

    def reply(self, status: int, body: Any, **headers: str) -> None:
        """From now on, this."""

        async def answer(_: Seen) -> web.StreamResponse:
            if isinstance(body, bytes):
                return web.Response(status=status, body=body, headers=headers)
            return web.json_response(body, status=status, headers=headers)

        self.answer = answer


async def _read(request: web.Request) -> Seen:
    method = request.path.rpartition("/")[2]
    fields: dict[str, Any] = dict(request.query)
    files: dict[str, tuple[str, str, bytes]] = {}
    if request.content_type == "application/json":
        fields |= await request.json()
    else:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[name] = (value.filename, value.content_type, value.file.read())
            else:
                fields[name] = value
    return Seen(
        method=method,
        path=request.path,
        content_type=request.headers.get("Content-Type", ""),
        fields=fields,
        files=files,
    )


@asynccontextmanager
async def told_upstream() -> AsyncIterator[Upstream]:
    """The server on a free port."""
    upstream = Upstream()
    app = web.Application(client_max_size=200 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", upstream.handle)
    runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    upstream.root = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield upstream
    finally:
        await runner.cleanup()
