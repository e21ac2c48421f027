"""Waiting in tests: for a condition, with a limit that one setting scales, and a failure that says what was seen last.

CLAWSTACK_TEST_PATIENCE (1 by default) multiplies every limit, pytest's own for a whole test included: a machine that is
three times as slow gets 3. Limits are for what never comes; nothing takes longer because they are generous.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = float(os.environ.get("CLAWSTACK_TEST_PATIENCE", "1"))
_USUAL: Final = 60.0
_SHOWN: Final = 2000


def patient(seconds: float) -> float:
    """A limit as this machine needs it. Not for what a test is about, such as a deadline that must pass."""
    return seconds * PATIENCE


def until(condition: Callable[[], T | None], what: str, *, seconds: float = _USUAL, pause: float = 0.05) -> T:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + patient(seconds)
    while not (answer := condition()):
        assert time.monotonic() < deadline, _in_vain(what, seconds, answer)
        time.sleep(pause)
    return answer


def await_ready(process: subprocess.Popen[Any], file: Path, *, seconds: float = 30) -> None:
    """Until a process that was just started has written the whole file in which it says that it is ready."""

    def written() -> bool:
        assert process.poll() is None, f"it ended before it was ready: {process.args!r}"
        return file.exists() and file.read_text().endswith("\n")

    until(written, f"{file.name} of {process.args!r}", seconds=seconds, pause=0.02)


async def eventually(
    condition: Callable[[], T | Awaitable[T | None] | None], what: str, *, seconds: float = _USUAL, pause: float = 0.02
) -> T:
    """The same in an event loop; `condition` may be a coroutine function."""
    deadline = time.monotonic() + patient(seconds)
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer  # type: ignore[return-value] - awaited above
        assert time.monotonic() < deadline, _in_vain(what, seconds, answer)
        await asyncio.sleep(pause)


@asynccontextmanager
async def within(seconds: float, what: str, *, seen: Callable[[], object] | None = None) -> AsyncIterator[None]:
    """The block ends in time, or fails with what `seen` says."""
    limit = asyncio.timeout(patient(seconds))
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(_in_vain(what, seconds, seen() if seen else None)) from None


def _in_vain(what: str, seconds: float, seen: object) -> str:
    return f"not within {patient(seconds):g} s: {what}; seen last: {str(seen)[:_SHOWN]}"
