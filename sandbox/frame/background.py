"""Work that goes on beside the requests."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol


class Work(Protocol):
    """What runs as long as a stand-in is served; started in the running loop."""

    def start(self) -> None:
        """Begin; a second call changes nothing."""

    async def stop(self) -> None:
        """End it, and wait for the end."""


class Loop:
    """One coroutine in a task, from start() to stop()."""

    def __init__(self, run: Callable[[], Coroutine[None, None, None]]) -> None:
        self._run = run
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a second call changes nothing while it runs."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Cancel it, and wait for the end."""
        if self._task is not None:
            await cancelled([self._task])
            self._task = None


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
