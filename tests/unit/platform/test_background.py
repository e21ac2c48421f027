"""Tasks that end although their first cancellation gets lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from clawstack.background import background, end
from tests.waiting import patient


class _BrokenError(Exception):
    pass


async def _loses(times: int, told: list[str]) -> None:
    """As a loop that outlives a database which is away."""
    while True:
        with suppress(_BrokenError):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                told.append("cancelled")
                if len(told) > times:
                    raise
                raise _BrokenError from None


async def test_a_task_that_loses_its_cancellation_is_ended_all_the_same() -> None:
    told: list[str] = []
    task = asyncio.create_task(_loses(2, told))
    await asyncio.sleep(0)

    async with asyncio.timeout(patient(10)):
        await end(task, patience=0.01)

    assert task.cancelled()
    assert told == ["cancelled"] * 3


async def test_what_a_task_raised_is_raised() -> None:
    async def fails() -> None:
        raise _BrokenError

    with pytest.raises(_BrokenError):
        async with background(fails(), name="fails"):
            await asyncio.sleep(0)
