"""Work that repeats: when, as cron can say it, and how a part declares it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import procrastinate

from services.kit.jobs.queue import DEFAULT_QUEUE

EVERY_MINUTE: Final = "* * * * *"
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_MOST_HOURS: Final = 23


def periodic(
    name: str, *, cron: str, work: Callable[[], Awaitable[object]], one_at_a_time: bool = False
) -> Callable[[procrastinate.App], None]:
    """Declares the task `name`, which does `work` whenever `cron` says; at most one of it waits.

    `one_at_a_time`: work that lasts longer keeps the next one waiting, whichever process it runs in.
    """

    def declare(app: procrastinate.App) -> None:
        # The queue is named because Procrastinate defers periodic jobs itself.
        @app.periodic(cron=cron)
        @app.task(name=name, queue=DEFAULT_QUEUE, queueing_lock=name, lock=name if one_at_a_time else None)
        async def run(timestamp: int) -> None:
            del timestamp
            await work()

    return declare


def cron_of(interval: timedelta, *, at_least_hourly: bool = False) -> str:
    """A cron line that fires about every `interval`: whole hours, whole minutes, or seconds (a sixth field)."""
    seconds = max(1, round(interval.total_seconds()))
    if seconds < _MINUTE:
        return f"* * * * * */{seconds}"
    if at_least_hourly:
        seconds = min(seconds, _HOUR - 1)
    if seconds < _HOUR:
        return f"*/{seconds // _MINUTE} * * * *"
    return f"0 */{min(_MOST_HOURS, seconds // _HOUR)} * * *"
