"""Work in the background, ended for certain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

PATIENCE: Final = 5.0
"""Seconds that an orderly end may take: a task that goes on after them is cancelled once more."""


async def end(task: asyncio.Task[Any], *, patience: float = PATIENCE) -> None:
    """Cancel `task` and return once it is done. Raises what it raised, except that it was cancelled.

    A single cancellation can get lost: a pool that finds a connection in the same instant hands that out
    (psycopg_pool 3.3, `WaitingClient.wait`), a connection that breaks makes an error of its own of it; and a loop that
    outlives errors of the database then goes on for ever, with whoever waits for its end. So it is said again, each
    `patience` seconds.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=patience)
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None], *, name: str, patience: float = PATIENCE) -> AsyncIterator[None]:
    """`work` beside what is inside; cancelled and awaited at the end (`end`)."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        await end(task, patience=patience)
