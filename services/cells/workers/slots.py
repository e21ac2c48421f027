"""How many operations run at once in a process, how many of these may be endings, and who may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

_KEPT_FREE: Final = 1
"""Slots that no ending takes. One is enough: a cell is built in seconds, and new customers come one by one."""
_MOST_WAITING: Final = 2
"""Jobs that may wait in this process for a free slot; more would keep other nouns' jobs from running."""


def endings_at_once(slots: int) -> int:
    """How many of the slots may be taken by operations that remove a cell; a single one serves both."""
    return max(1, slots - _KEPT_FREE)


class Slots:
    """The slots of one process.

    An ending waits for what somebody else holds (a finalizer, a dead API server behind the cluster's, a volume that is
    still attached), and all endings of a cluster hang at once. Somebody who paid must not wait behind them.
    """

    def __init__(self, slots: int) -> None:
        self._all = asyncio.Semaphore(slots)
        self._endings = asyncio.Semaphore(endings_at_once(slots))
        self._waiting = 0

    def admits(self, *, ending: bool) -> bool:
        """Whether there is a slot, or a place to wait for one; else come again later."""
        if ending and self._endings.locked():
            return False  # it would take one of the few places to wait, beside a slot that is free
        return not self._all.locked() or self._waiting < _MOST_WAITING

    @asynccontextmanager
    async def one(self, *, ending: bool) -> AsyncIterator[None]:
        """Hold a slot, once there is one."""
        async with AsyncExitStack() as held:
            self._waiting += 1
            try:
                if ending:
                    await held.enter_async_context(self._endings)
                await held.enter_async_context(self._all)
            finally:
                self._waiting -= 1
            yield
