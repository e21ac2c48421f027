"""Waiting for something to change, with a limit, and ending at once when the process closes."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Changes:
    """Wakes everybody who waits whenever something changed; after close() nobody waits any more."""

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self._closed = False
        self.count = 0

    @property
    def closed(self) -> bool:
        """True once close() was called."""
        return self._closed

    def announce(self) -> None:
        """Say that something changed."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """End all waits, now and later, so that the process can stop quickly."""
        self._closed = True
        self.announce()

    async def pause(self, seconds: float) -> bool:
        """Sleep, whatever is announced; returns False when close() cut it short."""
        if seconds > 0:
            await self.until(lambda: None, seconds)
        return not self._closed

    async def until(self, look: Callable[[], Found | None], seconds: float) -> Found | None:
        """Return what `look` finds as soon as it finds something, or its last answer after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds if seconds > 0 else 0.0):
                while (found := look()) is None and not self._closed:
                    await self._next.wait()
                return found
        return look()
