"""Streams are counted per listener and together, from their first byte to their last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
from sse_starlette import ServerSentEvent
from starlette.types import Message

from clawstack.errors import LimitExceededError
from services.kit.http.streams import CountedStream, StreamSlots
from tests.waiting import eventually

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def endless() -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent("first")
    await asyncio.Event().wait()


class Listener:
    """One request for a stream."""

    def __init__(self, slots: StreamSlots, name: str) -> None:
        self.sent: list[Message] = []
        self._gone = asyncio.Event()
        self.response = CountedStream(endless(), slots=slots, listener=name)

    async def run(self) -> None:
        await self.response(SCOPE, self._receive, self._send)

    def leave(self) -> None:
        self._gone.set()

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def test_one_more_than_a_token_may_have_is_told_and_a_place_comes_free() -> None:
    slots = StreamSlots(each=2, together=9)
    listeners = [Listener(slots, "key") for _ in range(2)]
    running = [asyncio.create_task(listener.run()) for listener in listeners]
    await eventually(lambda: slots.total() == 2, "two streams")
    refused = Listener(slots, "key")
    await refused.run()
    assert refused.sent[0]["status"] == 429
    assert (b"retry-after", b"5") in refused.sent[0]["headers"]
    assert b"too_many_streams" in refused.sent[1]["body"]
    Listener(slots, "key")  # never begun: holds nothing
    listeners[0].leave()
    await running[0]
    assert slots.total() == 1
    listeners[1].leave()
    await running[1]
    assert slots.total() == 0


def test_all_together_are_bounded_as_well() -> None:
    slots = StreamSlots(each=2, together=3)
    with ExitStack() as stack:
        for name in ("a", "b", "c"):
            stack.enter_context(slots.counted(name))
        with pytest.raises(LimitExceededError):
            stack.enter_context(slots.counted("d"))
    with slots.counted("d"):
        assert slots.total() == 1
