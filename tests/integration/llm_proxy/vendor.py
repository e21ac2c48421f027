"""A model vendor whose manners a test chooses. It counts what it would invoice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Manner = Callable[["Vendor", web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]

#: Planted: must never be seen by a cell, in a log or in an error.
REAL_KEY = "sk-real-vendor-key-0123456789abcdef"


@dataclass(kw_only=True)
class Vendor:
    """OpenAI's chat completions on a port of its own."""

    manner: Manner
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    words: tuple[str, ...] = ("one ", "two ", "three")
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """A request has come in."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A connection ended while it was being answered."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Released by the test, for manners that wait."""

    def count(self, body: dict[str, Any]) -> dict[str, Any]:
        """Usage of one answer; noted as invoiced."""
        prompt = len(json.dumps(body["messages"])) // 4 + 1
        completion = len(self.words)
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": prompt // 2},
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.arrived.set()
        try:
            return await self.manner(self, request, body)
        except (asyncio.CancelledError, ConnectionResetError):
            self.left.set()
            raise


@asynccontextmanager
async def running(vendor: Vendor) -> AsyncIterator[Vendor]:
    """Serve it on loopback."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", vendor.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    vendor.url = f"http://{host}:{port}/v1"
    try:
        yield vendor
    finally:
        vendor.hold.set()
        await runner.cleanup()


def chunk(content: str | None = None, **rest: Any) -> bytes:
    """One event of a stream."""
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    document = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices, **rest}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


async def stream_response(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    return response


async def polite(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Answers as the vendor documents it."""
    usage = vendor.count(body)
    if not body.get("stream"):
        message = {"role": "assistant", "content": "".join(vendor.words)}
        return web.json_response({"id": "c", "choices": [{"index": 0, "message": message}], "usage": usage})
    response = await stream_response(request)
    for word in vendor.words:
        await response.write(chunk(word, usage=None))
    if body.get("stream_options", {}).get("include_usage"):
        await response.write(chunk(usage=usage))
    await response.write(b"data: [DONE]\n\n")
    return response


async def forgets_usage(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Never says what was used."""
    if not body.get("stream"):
        return web.json_response({"id": "c", "choices": []})
    response = await stream_response(request)
    await response.write(chunk("word " * 3000))
    await response.write(b"data: [DONE]\n\n")
    return response


async def waits_before_headers(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Thinks until the test lets go, then answers politely."""
    await vendor.hold.wait()
    return await polite(vendor, request, body)


async def waits_in_stream(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Sends two words and then nothing until the test lets go."""
    response = await stream_response(request)
    await response.write(chunk("one ") + chunk("two "))
    await vendor.hold.wait()
    await response.write(b"data: [DONE]\n\n")
    return response


async def breaks_in_stream(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Cuts the connection in the middle of an event."""
    response = await stream_response(request)
    await response.write(chunk("one ") + b'data: {"choices": [{"del')
    assert request.transport is not None
    request.transport.abort()
    return response


async def counts_early_and_breaks(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Reports usage with the first word, writes on, and cuts the connection."""
    response = await stream_response(request)
    usage = {"prompt_tokens": 50, "completion_tokens": 1, "total_tokens": 51}
    await response.write(chunk("one ", usage=usage) + chunk("more " * 600))
    await response.drain()
    assert request.transport is not None
    request.transport.abort()
    return response


async def hangs_up(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Cuts the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def fails_in_stream(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Reports an error, key included, after the first word."""
    response = await stream_response(request)
    await response.write(chunk("one "))
    error = {"message": f"Key {REAL_KEY} is out of luck", "type": "server_error", "code": "oops"}
    await response.write(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    return response


def answers(status: int, document: Any, **headers: str) -> Manner:
    """Answers every request in the same way."""

    async def manner(vendor: Vendor, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = document if isinstance(document, str) else json.dumps(document)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, content_type="application/json", headers=named)

    return manner
