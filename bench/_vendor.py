"""A model vendor that answers at once: what remains of a measurement is the way to it.

`python -m bench._vendor`: prints its port, serves until it is ended. Streams have 50 events, 10 ms apart.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from bench._serving import serve

EVENTS: Final = 50
_PACE_SECONDS: Final = 0.01
_USAGE: Final = {"prompt_tokens": 20, "completion_tokens": 50, "total_tokens": 70}
_WHOLE: Final = json.dumps(
    {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 50}}], "usage": _USAGE}
).encode()
_EVENT: Final = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
_LAST: Final = b"data: " + json.dumps({"choices": [], "usage": _USAGE}).encode() + b"\n\ndata: [DONE]\n\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI entry."""
    if scope["type"] != "http":
        return
    raw = b""
    while True:
        message = await receive()
        raw += message.get("body", b"")
        if not message.get("more_body"):
            break
    if json.loads(raw).get("stream"):
        await _stream(send)
        return
    await _start(send, b"application/json", (b"content-length", str(len(_WHOLE)).encode()))
    await send({"type": "http.response.body", "body": _WHOLE})


async def _stream(send: Send) -> None:
    await _start(send, b"text/event-stream")
    for _ in range(EVENTS):
        await send({"type": "http.response.body", "body": _EVENT, "more_body": True})
        await asyncio.sleep(_PACE_SECONDS)
    await send({"type": "http.response.body", "body": _LAST})


async def _start(send: Send, content_type: bytes, *headers: tuple[bytes, bytes]) -> None:
    start: dict[str, Any] = {"type": "http.response.start", "status": 200}
    await send({**start, "headers": [(b"content-type", content_type), *headers]})


if __name__ == "__main__":
    serve(app, loop="uvloop")
