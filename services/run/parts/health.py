"""Wiring of the sweep."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import procrastinate

from services.cells.context import CellPlatform
from services.cells.health.sweep import Sweep, run_quietly
from services.kit.jobs.queue import DEFAULT_QUEUE
from services.kit.parts import Part

SWEEP: Final = "health.sweep"
_MINUTE: Final = 60


def create_part(platform: CellPlatform) -> Part:
    """Health as the factory takes it."""
    drivers = platform.drivers
    sweep = Sweep(database=platform.database, probes={name: drivers.of(name) for name in drivers.usable()})

    def register_tasks(app: procrastinate.App) -> None:
        @app.periodic(cron=cron_of(platform.settings.reconcile_interval))
        @app.task(name=SWEEP, queue=DEFAULT_QUEUE, queueing_lock=SWEEP, lock=SWEEP)
        async def run_sweep(timestamp: int) -> None:
            del timestamp
            await run_quietly(sweep)

    return Part(name="health", register_tasks=register_tasks)


def cron_of(interval: timedelta) -> str:
    """A cron line (with seconds as sixth field) that fires about every `interval`, at least once an hour."""
    seconds = max(1, round(interval.total_seconds()))
    if seconds < _MINUTE:
        return f"* * * * * */{seconds}"
    return f"*/{min(_MINUTE - 1, seconds // _MINUTE)} * * * *"
