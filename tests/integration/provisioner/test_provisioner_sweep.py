"""The sweep on real rows and a real engine: lost jobs, dead workers, cells that vanished."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text, update

from clawstack.vocabulary import Observed
from services.business.notifications.texts import text_of
from services.business.tenants.schemas import TenantView
from services.cells.health import disk
from services.cells.health.sweep import HealthSweep
from services.cells.substrates.base.protocol import Orphan, Sighting
from services.kit.database.base import utcnow
from services.tables.notifications import OutboxMessage
from services.tables.tenants import Cell, CellLease, Operation, Tenant
from tenants.disk_use import DiskUse
from tests.integration.provisioner.rig import Rig
from tests.waiting import patient


class FileProbe:
    """Looks at probe cells: they run while their file is there."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.starting: set[str] = set()
        self.disk: DiskUse | None = None

    async def look(self, slug: str, *, port: int) -> Sighting:
        if slug in self.starting:
            return Sighting(observed=Observed.UNKNOWN, reason="It is starting.")
        cell = self._rig.probe.cell(slug)
        if cell is None:
            return Sighting(observed=Observed.BROKEN, reason="Its file is gone.")
        return Sighting(observed=Observed(cell["desired"]), disk=self.disk)

    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        folder = self._rig.probe.folder / "cells"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return [Orphan(slug=name, what="a file") for name in names if name not in known]


def sweep_of(rig: Rig) -> tuple[HealthSweep, FileProbe]:
    probe = FileProbe(rig)
    return HealthSweep(database=rig.platform.database, probes={"process": probe}), probe


async def healthy(rig: Rig) -> Tenant:
    tenant = await rig.create()
    await rig.fetch_jobs()
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"
    return tenant


async def test_what_is_as_it_should_be_is_left_alone(rig: Rig) -> None:
    tenant = await healthy(rig)
    sweep, _ = sweep_of(rig)
    report = await sweep.run()
    assert (report.looked_at, report.repairs, report.resumed, report.orphans) == (1, 0, 0, ())
    assert (await rig.tenant(tenant)).state == "healthy"
    assert await rig.idle()


async def test_a_cell_near_its_disks_limit_is_told_of_once_and_shown(rig: Rig) -> None:
    tenant = await healthy(rig)
    sweep, probe = sweep_of(rig)
    for used in (100, 1900, 1910, 1950):
        probe.disk = DiskUse(used_mb=used, limit_mb=2048, entries=10, most_entries=131_072)
        await sweep.run()
    seen = TenantView.of(await rig.tenant(tenant))
    assert seen.disk is not None
    assert (seen.disk.level, seen.disk.limit_mb, seen.state) == ("near", 2048, "healthy")
    async with rig.platform.database.transaction() as session:
        told = await session.execute(
            select(OutboxMessage.audience, OutboxMessage.payload).where(OutboxMessage.kind == "disk_nearly_full")
        )
        assert sorted((audience, payload["used_mb"]) for audience, payload in told) == [
            ("customer", 1900),
            ("operator", 1900),
        ]


async def test_a_disk_near_the_databases_reserve_is_told_of_once_a_day(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await disk.tell_of_reserve(rig.platform.database, rig.platform.settings.data_dir)
    monkeypatch.setattr(disk, "free_and_reserve", lambda _: (150 * 2**20, 100 * 2**20))
    for _ in range(2):
        assert await disk.tell_of_reserve(rig.platform.database, rig.platform.settings.data_dir)
    async with rig.platform.database.transaction() as session:
        (message,) = await session.scalars(select(OutboxMessage).where(OutboxMessage.kind == "disk_reserve_low"))
    assert "150 MiB left" in text_of(message.kind, message.payload)[1]


async def test_when_a_cell_was_last_seen_well_is_kept_but_for_rows_that_somebody_works_on(rig: Rig) -> None:
    tenant = await healthy(rig)
    before = (await rig.tenant(tenant)).observed_at
    assert before is not None
    sweep, _ = sweep_of(rig)
    async with rig.platform.database.transaction() as session:
        await session.execute(select(Tenant).with_for_update())
        async with asyncio.timeout(patient(10)):
            await sweep.run()
        assert (await rig.tenant(tenant)).observed_at == before

    await sweep.run()

    after = (await rig.tenant(tenant)).observed_at
    assert after is not None
    assert after > before


async def test_cells_that_are_as_they_were_cost_no_statement_each(rig: Rig) -> None:
    tenants = [await rig.create() for _ in range(6)]
    async with rig.platform.database.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs"))
        session.add_all(
            Cell(tenant_id=tenant.id, port=30000 + number, stack=tenant.slug) for number, tenant in enumerate(tenants)
        )
        await session.execute(update(Tenant).values(state="healthy", observed_state="running", observed_generation=1))
    for tenant in tenants:
        (rig.probe.folder / "cells").mkdir(exist_ok=True)
        (rig.probe.folder / "cells" / tenant.slug).write_text('{"desired": "running"}')
    statements: list[str] = []
    engine = rig.platform.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    sweep, _ = sweep_of(rig)

    report = await sweep.run()

    assert (report.looked_at, report.repairs, report.resumed) == (6, 0, 0)
    assert len(statements) == 3, statements


async def test_a_cell_that_vanished_is_degraded_and_built_again(rig: Rig) -> None:
    tenant = await healthy(rig)
    (rig.probe.folder / "cells" / tenant.slug).unlink()
    sweep, _ = sweep_of(rig)
    report = await sweep.run()
    assert (report.looked_at, report.repairs) == (1, 1)
    seen = await rig.tenant(tenant)
    assert (seen.state, seen.observed_state, seen.state_reason) == ("degraded", "broken", "Its file is gone.")
    assert not await rig.idle(), "a repair waits"
    assert (await sweep.run()).looked_at == 0, "what is attended to is not looked at"

    await rig.fetch_jobs()
    await rig.reconciler().reconcile(tenant.id)
    mended = await rig.tenant(tenant)
    assert (mended.state, mended.observed_state, mended.state_reason) == ("healthy", "running", None)
    assert rig.probe.cell(tenant.slug) is not None
    assert [row.kind for row in await rig.operations(tenant)] == ["provision", "update"]


async def test_a_cell_that_is_starting_is_watched_and_repaired_only_when_it_takes_too_long(rig: Rig) -> None:
    tenant = await healthy(rig)
    sweep, probe = sweep_of(rig)
    probe.starting.add(tenant.slug)
    assert (await sweep.run()).repairs == 0
    seen = await rig.tenant(tenant)
    assert (seen.state, seen.observed_state) == ("degraded", "running")
    probe.starting.clear()
    await sweep.run()
    well = await rig.tenant(tenant)
    assert (well.state, well.state_reason, well.observed.get("unwell_since")) == ("healthy", None, None)

    probe.starting.add(tenant.slug)
    await sweep.run()
    long_ago = (utcnow() - timedelta(hours=1)).isoformat()
    async with rig.platform.database.transaction() as session:
        observed = {**(await rig.tenant(tenant)).observed, "unwell_since": long_ago}
        await session.execute(update(Tenant).values(observed=observed))
    assert (await sweep.run()).repairs == 1
    assert (await rig.tenant(tenant)).observed_state == "broken"


async def test_a_lost_job_is_noticed(rig: Rig) -> None:
    tenant = await rig.create()
    await rig.fetch_jobs()
    sweep, _ = sweep_of(rig)
    assert (await sweep.run()).resumed == 1
    assert not await rig.idle()
    assert (await sweep.run()).resumed == 0, "it waits already"
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"


async def test_a_dead_workers_operation_is_taken_up_after_its_lease(rig: Rig) -> None:
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    run = asyncio.create_task(rig.reconciler().reconcile(tenant.id))
    while not rig.probe.begun("create", tenant.slug):
        await asyncio.sleep(0.05)
    await rig.fetch_jobs()
    sweep, _ = sweep_of(rig)
    assert (await sweep.run()).resumed == 0, "somebody holds it"
    hold.unlink()
    await run
    async with rig.platform.database.transaction() as session:  # as if that worker had died before its last write
        await session.execute(update(Operation).values(status="running", finished_at=None))
        await session.execute(
            update(CellLease).values(holder="dead", expires_at=utcnow() - timedelta(seconds=1), fence=CellLease.fence)
        )
        await session.execute(
            update(Tenant).values(state="provisioning", observed_state="absent", observed_generation=0)
        )
    assert (await sweep.run()).resumed == 1
    await rig.reconciler("worker-2").reconcile(tenant.id)
    assert [row.status for row in await rig.operations(tenant)] == ["interrupted", "succeeded"]


async def test_what_waits_for_somebody_is_not_resumed(rig: Rig) -> None:
    tenant = await rig.create()
    await rig.fetch_jobs()
    async with rig.platform.database.transaction() as session:
        await session.execute(update(Tenant).values(state="needs_attention", blocked_generation=1))
    sweep, _ = sweep_of(rig)
    assert (await sweep.run()).resumed == 0
    assert (await rig.tenant(tenant)).state == "needs_attention"


async def test_what_runs_for_nobody_is_reported(rig: Rig) -> None:
    await healthy(rig)
    (rig.probe.folder / "cells" / "nobody").write_text("{}")
    sweep, _ = sweep_of(rig)
    assert (await sweep.run()).orphans == ("nobody",)


async def test_a_cell_that_was_given_up_and_runs_again_is_tried_again_and_told_of_once(rig: Rig) -> None:
    tenant = await rig.create()
    failure = rig.probe.fail("create", tenant.slug, "attention gateway_crashes: It ended three times.")
    reconciler = rig.reconciler()
    await rig.fetch_jobs()
    await reconciler.reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "needs_attention"
    sweep, probe = sweep_of(rig)
    probe.starting.add(tenant.slug)
    assert (await sweep.run()).resumed == 0, "it is not well yet"
    probe.starting.clear()
    failure.unlink()
    assert (await sweep.run()).resumed == 1
    await reconciler.reconcile(tenant.id)
    mended = await rig.tenant(tenant)
    assert (mended.state, mended.blocked_generation, mended.state_reason) == ("healthy", None, None)
    async with rig.platform.database.transaction() as session:
        told = (await session.scalars(select(OutboxMessage).where(OutboxMessage.kind == "well_again"))).all()
    assert [(message.audience, message.payload["code"]) for message in told] == [("operator", "gateway_crashes")]
    assert "is well again" in text_of("well_again", told[0].payload)[0]


async def test_a_cell_that_was_given_up_for_its_plan_is_not_tried_again_because_it_runs(rig: Rig) -> None:
    tenant = await rig.create()
    rig.probe.fail("create", tenant.slug, "attention: The policy refuses it.")
    await rig.fetch_jobs()
    await rig.reconciler().reconcile(tenant.id)
    sweep, _ = sweep_of(rig)
    assert (await sweep.run()).resumed == 0
    assert (await rig.tenant(tenant)).state == "needs_attention"
