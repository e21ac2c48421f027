"""Many cells in one worker process: nothing of one reaches another, and nobody is forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import text

from clawstack.vocabulary import Desired
from services.tables.tenants import Tenant
from tests.integration.provisioner.rig import Rig, engine_processes, until
from tests.waiting import patient


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
    states = {tenant.id: (await rig.tenant(tenant)).state for tenant in tenants}
    assert sorted(states.values()) == ["healthy"] * 3 + ["pending"] * 2, (
        "one at work, two waiting; the others must not block other jobs"
    )
    later = [tenant for tenant, state in states.items() if state == "pending"]
    assert await waiting(rig) == {f"reconcile:{tenant}" for tenant in later}
    await asyncio.gather(*(reconciler.reconcile(tenant) for tenant in later))
    assert {(await rig.tenant(tenant)).state for tenant in tenants} == {"healthy"}
    assert await rig.count(Tenant) == 5


async def test_endings_that_hang_leave_a_slot_for_whoever_is_new(rig: Rig) -> None:
    narrow = rig.platform.settings.model_copy(update={"worker_concurrency": 3, "lease_ttl": timedelta(seconds=30)})
    object.__setattr__(rig.platform, "settings", narrow)
    reconciler = rig.reconciler()
    leaving = [await rig.create(name_hint=f"leaving {number}") for number in range(3)]
    for tenant in leaving:
        await reconciler.reconcile(tenant.id)
        await rig.want(tenant, state=Desired.ABSENT)
    holds = [rig.probe.hold("delete", tenant.slug) for tenant in leaving]
    await rig.fetch_jobs()
    ends = [asyncio.create_task(reconciler.reconcile(tenant.id)) for tenant in leaving]
    await until(lambda: sum(rig.probe.begun("delete", tenant.slug) for tenant in leaving) >= 2)

    new = await rig.create(name_hint="new")
    await asyncio.wait_for(reconciler.reconcile(new.id), patient(30))

    assert (await rig.tenant(new)).state == "healthy"
    assert sum(rig.probe.begun("delete", tenant.slug) for tenant in leaving) == 2
    (third,) = await waiting(rig) - {f"reconcile:{new.id}"}
    for hold in holds:
        hold.unlink()
    await asyncio.gather(*ends)
    (last,) = [tenant for tenant in leaving if third == f"reconcile:{tenant.id}"]
    await reconciler.reconcile(last.id)
    assert {(await rig.tenant(tenant)).state for tenant in leaving} == {"deleted"}


async def test_who_leaves_while_being_built_ends_in_a_slot_for_endings(rig: Rig) -> None:
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    reconciler = rig.reconciler()
    building = asyncio.create_task(reconciler.reconcile(tenant.id))
    await until(lambda: rig.probe.begun("create", tenant.slug))
    await rig.fetch_jobs()
    await rig.want(tenant, state=Desired.ABSENT)
    hold.unlink()
    await building
    assert rig.probe.begun("delete", tenant.slug) == 0, "this slot was not taken for an ending"
    assert await waiting(rig) == {f"reconcile:{tenant.id}"}
    await reconciler.reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "deleted"


async def waiting(rig: Rig) -> set[str]:
    async with rig.platform.database.transaction() as session:
        rows = await session.execute(text("SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'"))
        return {row[0] for row in rows}
