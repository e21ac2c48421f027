"""Wiring of the sweep."""

from __future__ import annotations

import asyncio
from typing import Final

from services.cells.context import CellPlatform
from services.cells.engine import scratch
from services.cells.health import disk
from services.cells.health.sweep import HealthSweep, run_quietly
from services.cells.provisioner.cells import pulumi_home
from services.kit.jobs.periodic import cron_of, periodic
from services.kit.parts import Part

SWEEP: Final = "health.sweep"


def create_part(platform: CellPlatform) -> Part:
    """Health as the factory takes it."""
    drivers = platform.drivers
    sweep = HealthSweep(database=platform.database, probes={name: drivers.of(name) for name in drivers.usable()})

    cron = cron_of(platform.settings.reconcile_interval, at_least_hourly=True)

    async def run() -> None:
        await run_quietly(sweep)
        await disk.tell_of_reserve(platform.database, platform.settings.data_dir)
        await asyncio.to_thread(scratch.sweep, scratch.scratch_root(pulumi_home(platform.settings)))

    return Part(name="health", register_tasks=periodic(SWEEP, cron=cron, work=run, one_at_a_time=True))
