"""Many cells in one worker process: nothing of one reaches another, and nobody is forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import text

from services.tables.tenants import Tenant
from tests.integration.provisioner.rig import Rig, engine_processes


async def test_programs_that_run_at_once_do_not_mix(rig: Rig) -> None:
    tenants = [await rig.create(name_hint=f"cell {number}") for number in range(4)]
    reconciler = rig.reconciler()
    await asyncio.gather(*(reconciler.reconcile(tenant.id) for tenant in tenants))
    for tenant in tenants:
        built = await rig.tenant(tenant)
        assert built.observed["endpoint"] == f"probe://{tenant.slug}"
        marks = [(mark["op"], mark["phase"]) for mark in rig.probe.journal(tenant.slug)]
        assert marks == [("create", "begin"), ("create", "end")]
        (operation,) = await rig.operations(tenant)
        assert all(
            tenant.slug in event.data["resource"] for event in await rig.events(operation) if event.kind == "resource"
        )
    plugins = {mark["pid"] for mark in rig.probe.journal()}
    assert len(plugins) == len(tenants), "a plugin process serves one cell only"
    assert engine_processes(rig.platform.settings.data_dir) == []


async def test_more_cells_than_slots_are_postponed_not_forgotten(rig: Rig) -> None:
    narrow = rig.platform.settings.model_copy(update={"worker_concurrency": 1, "lease_ttl": timedelta(seconds=30)})
    object.__setattr__(rig.platform, "settings", narrow)
    tenants = [await rig.create(name_hint=f"cell {number}") for number in range(5)]
    await rig.fetch_jobs()
    reconciler = rig.reconciler()
    await asyncio.gather(*(reconciler.reconcile(tenant.id) for tenant in tenants))
    states = [(await rig.tenant(tenant)).state for tenant in tenants]
    assert states == ["healthy"] * 3 + ["pending"] * 2, "one at work, two waiting; the others must not block other jobs"
    assert await waiting(rig) == {f"reconcile:{tenant.id}" for tenant in tenants[3:]}
    await asyncio.gather(*(reconciler.reconcile(tenant.id) for tenant in tenants[3:]))
    assert {(await rig.tenant(tenant)).state for tenant in tenants} == {"healthy"}
    assert await rig.count(Tenant) == 5


async def waiting(rig: Rig) -> set[str]:
    async with rig.platform.database.transaction() as session:
        rows = await session.execute(text("SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'"))
        return {row[0] for row in rows}
