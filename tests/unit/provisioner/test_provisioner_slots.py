"""Endings never take all slots, nor a place to wait that somebody else needs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.cells.workers.slots import Slots, endings_at_once


@pytest.mark.parametrize(("slots", "endings"), [(1, 1), (2, 1), (3, 2), (4, 3), (64, 63)])
def test_one_slot_is_kept_from_endings_unless_it_is_the_only_one(slots: int, endings: int) -> None:
    assert endings_at_once(slots) == endings


async def test_an_ending_comes_again_later_where_a_build_begins_at_once() -> None:
    slots = Slots(3)
    async with AsyncExitStack() as held:
        for _ in range(2):
            assert slots.admits(ending=True)
            await held.enter_async_context(slots.one(ending=True))
        assert not slots.admits(ending=True)
        assert slots.admits(ending=False)
        async with asyncio.timeout(1):
            await held.enter_async_context(slots.one(ending=False))
    assert slots.admits(ending=True)


async def test_builds_may_have_them_all_and_two_may_wait_even_if_one_gives_up() -> None:
    slots = Slots(2)

    async def wait() -> None:
        async with slots.one(ending=False):
            pass

    async with slots.one(ending=False), slots.one(ending=False):
        waiting = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0)
        assert not slots.admits(ending=False)
        waiting[0].cancel()
        await asyncio.wait([waiting[0]])
        assert slots.admits(ending=False)
    await waiting[1]
    assert slots.admits(ending=True)
