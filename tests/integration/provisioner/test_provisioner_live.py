"""The provisioner and a substrate's driver: what is called when, and what its answers mean."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError, NeedsAttentionError, TemporaryError
from clawstack.vocabulary import Desired, Observed
from services.business.tenants import desired, operations
from services.cells.health.sweep import HealthSweep
from services.cells.provisioner.borders import Neighbours
from services.cells.substrates.base.protocol import CellLook, Orphan, SubstrateDriver, Tell
from services.kit.database.base import utcnow
from services.tables.tenants import Cell, Tenant
from tenants.backups.archive import Archive, ArchiveManifest
from tenants.spec import CellSpec
from tests.integration.provisioner.rig import Rig, until
from tests.waiting import patient


class ToldDriver(SubstrateDriver):
    """Remembers what it was asked, and what the cell was at that moment; fails or waits when told to."""

    def __init__(self, rig: Rig, name: str) -> None:
        self._rig, self._name = rig, name
        self.calls: list[tuple[str, str, str]] = []
        self.answers: dict[str, list[ClawstackError]] = {}
        self.waiting: set[str] = set()
        self.interrupted: list[str] = []
        self.objects: Mapping[str, str] = {}
        self.stuck: TemporaryError | None = None
        self.better: TemporaryError | None = None

    async def _called(self, verb: str, slug: str, tell: Tell | None = None) -> None:
        cell = self._rig.probe.cell(slug)
        self.calls.append((self._name, verb, "nothing" if cell is None else str(cell["desired"])))
        if tell is not None:
            tell(f"{verb} was asked for")
        if self.answers.get(verb):
            raise self.answers[verb].pop(0)
        if verb in self.waiting:
            try:
                await asyncio.Event().wait()
            finally:
                self.interrupted.append(verb)

    async def prepare(self, spec: CellSpec, *, tell: Tell) -> None:
        await self._called("prepare", spec.slug, tell)

    async def settle(self, spec: CellSpec, *, tell: Tell) -> None:
        await self._called("settle", spec.slug, tell)

    async def release(self, spec: CellSpec, *, tell: Tell) -> None:
        await self._called("release", spec.slug, tell)

    async def confirm_gone(self, slug: str, *, tell: Tell) -> None:
        await self._called("confirm_gone", slug, tell)

    async def elsewhere(self, spec: CellSpec, error: TemporaryError) -> TemporaryError:
        await self._called("elsewhere", spec.slug)
        return self.better or error

    async def obstacle(self, slug: str) -> TemporaryError | None:
        await self._called("obstacle", slug)
        return self.stuck

    async def backup(self, spec: CellSpec, *, tell: Tell) -> None:
        await self._called("backup", spec.slug, tell)

    async def restore(self, spec: CellSpec, archive: Archive, *, tell: Tell) -> None:
        await self._called("restore", spec.slug, tell)

    async def look(self, slug: str, *, port: int) -> CellLook:
        return CellLook(observed=Observed.RUNNING, objects=self.objects)

    async def fingerprints(self, slug: str) -> Mapping[str, str]:
        return self.objects

    async def logs(self, slug: str, *, lines: int) -> list[str]:
        return []

    async def follow_logs(self, slug: str, *, lines: int) -> AsyncIterator[str]:
        for line in ():
            yield line

    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        return []

    async def aclose(self) -> None:
        """Nothing is open."""


class ToldDrivers:
    """Two substrates; the probe's cells pretend to run on either."""

    def __init__(self, rig: Rig) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.by_name = {name: ToldDriver(rig, name) for name in ("process", "namespace")}
        for driver in self.by_name.values():
            driver.calls = self.calls

    def of(self, substrate: str) -> ToldDriver:
        return self.by_name[substrate]

    def usable(self) -> tuple[str, ...]:
        return tuple(self.by_name)


@pytest.fixture
def drivers(rig: Rig) -> ToldDrivers:
    told = ToldDrivers(rig)
    object.__setattr__(rig.platform, "drivers", told)
    return told


async def healthy(rig: Rig, drivers: ToldDrivers) -> Tenant:
    tenant = await rig.create()
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"
    drivers.calls.clear()
    return tenant


async def test_a_cell_is_settled_after_it_was_built_and_released_before_it_goes(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await rig.create()
    reconciler = rig.reconciler()
    await reconciler.reconcile(tenant.id)
    await rig.want(tenant, state=Desired.SUSPENDED)
    await reconciler.reconcile(tenant.id)
    await rig.want(tenant, state=Desired.ABSENT)
    await reconciler.reconcile(tenant.id)
    assert drivers.calls == [
        ("process", "prepare", "nothing"),
        ("process", "settle", "running"),
        ("process", "prepare", "running"),
        ("process", "settle", "suspended"),
        ("process", "release", "suspended"),
        ("process", "confirm_gone", "nothing"),
    ]
    told = [event.message for event in await rig.events((await rig.operations(tenant))[0])]
    assert "settle was asked for" in told


async def test_what_never_settles_needs_attention_and_says_why(rig: Rig, drivers: ToldDrivers) -> None:
    driver = drivers.of("process")
    driver.answers["settle"] = [NeedsAttentionError("The image cannot be pulled.", code="image_pull_failed")]
    tenant = await rig.create()
    await rig.reconciler().reconcile(tenant.id)
    seen = await rig.tenant(tenant)
    assert (seen.state, seen.state_code) == ("needs_attention", "image_pull_failed")
    assert seen.state_reason == "The image cannot be pulled."
    assert seen.blocked_generation == seen.generation


async def test_a_cell_that_is_left_behind_is_not_called_deleted(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await healthy(rig, drivers)
    drivers.of("process").answers["confirm_gone"] = [TemporaryError("A volume is left.", code="volume_left")]
    await rig.want(tenant, state=Desired.ABSENT)
    await rig.reconciler().reconcile(tenant.id)
    seen = await rig.tenant(tenant)
    assert (seen.state, seen.deleted_at, seen.state_code) == ("deleting", None, "volume_left")
    async with rig.platform.database.transaction() as session:
        await desired.retry_now(session, tenant.id)
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "deleted"


async def test_where_a_cell_is_tried_next_is_the_substrates_to_say(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await rig.create()
    failure = rig.probe.fail("create", tenant.slug, "No room.")
    drivers.of("process").better = TemporaryError("There is room in B.", code="no_room_in_a", retry_after=1)
    await rig.reconciler().reconcile(tenant.id)
    seen = await rig.tenant(tenant)
    assert (seen.state_code, seen.state_reason) == ("no_room_in_a", "There is room in B.")

    drivers.of("process").better = None
    drivers.of("process").answers["elsewhere"] = [NeedsAttentionError("Nobody knows.", code="no_answer")]
    async with rig.platform.database.transaction() as session:
        await desired.retry_now(session, tenant.id)
    await rig.reconciler().reconcile(tenant.id)
    assert "No room." in ((await rig.tenant(tenant)).state_reason or "")
    failure.unlink()


async def test_an_end_that_does_not_come_is_told_in_the_substrates_own_words(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await healthy(rig, drivers)
    drivers.of("process").stuck = TemporaryError("Metrics are dead.", code="namespace_stuck", retry_after=60)
    failure = rig.probe.fail("delete", tenant.slug, "It timed out.")
    await rig.want(tenant, state=Desired.ABSENT)
    await rig.reconciler().reconcile(tenant.id)
    seen = await rig.tenant(tenant)
    assert (seen.state, seen.state_code, seen.state_reason) == ("deleting", "namespace_stuck", "Metrics are dead.")
    assert seen.retry_at is not None
    assert seen.retry_at - utcnow() > timedelta(seconds=40)

    drivers.of("process").stuck = None
    failure.write_text("It timed out again.")
    async with rig.platform.database.transaction() as session:
        await desired.retry_now(session, tenant.id)
    await rig.reconciler().reconcile(tenant.id)
    assert "It timed out again" in ((await rig.tenant(tenant)).state_reason or "")


async def test_an_operation_that_waits_for_a_cell_can_be_cancelled(rig: Rig, drivers: ToldDrivers) -> None:
    driver = drivers.of("process")
    driver.waiting.add("settle")
    tenant = await rig.create()
    work = asyncio.create_task(rig.reconciler().reconcile(tenant.id))
    await until(lambda: ("process", "settle", "running") in drivers.calls)
    operation = (await rig.operations(tenant))[0]
    async with rig.platform.database.transaction() as session:
        assert await operations.request_cancel(session, operation.id)
    await work
    assert driver.interrupted == ["settle"]
    assert (await rig.operations(tenant))[0].status == "cancelled"


async def test_a_backup_is_an_operation_of_its_own(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await healthy(rig, drivers)
    async with rig.platform.database.transaction() as session:
        await desired.request_backup(session, tenant.id)
    starts = len(rig.probe.starts())
    await rig.reconciler().reconcile(tenant.id)
    assert drivers.calls == [("process", "backup", "running")]
    assert len(rig.probe.starts()) == starts, "the engine was not needed"
    row = (await rig.operations(tenant))[-1]
    assert (row.kind, row.status) == ("backup", "succeeded")
    assert (await rig.tenant(tenant)).state == "healthy"
    await rig.reconciler().reconcile(tenant.id)
    assert len(await rig.operations(tenant)) == 2, "once is enough"


async def test_a_backup_that_its_cell_drags_out_leaves_a_slot_for_whoever_is_new(
    rig: Rig, drivers: ToldDrivers
) -> None:
    object.__setattr__(rig.platform, "settings", rig.platform.settings.model_copy(update={"worker_concurrency": 2}))
    reconciler = rig.reconciler()
    dragging = [await rig.create(name_hint=f"dragging {number}") for number in range(2)]
    for tenant in dragging:
        await reconciler.reconcile(tenant.id)
        async with rig.platform.database.transaction() as session:
            await desired.request_backup(session, tenant.id)
    drivers.calls.clear()
    drivers.of("process").waiting.add("backup")
    backups = [asyncio.create_task(reconciler.reconcile(tenant.id)) for tenant in dragging]
    await until(lambda: ("process", "backup", "running") in drivers.calls)

    new = await rig.create(name_hint="new")
    await asyncio.wait_for(reconciler.reconcile(new.id), patient(30))

    assert (await rig.tenant(new)).state == "healthy"
    assert drivers.calls.count(("process", "backup", "running")) == 1
    for each in backups:
        each.cancel()
    await asyncio.gather(*backups, return_exceptions=True)


async def test_a_move_empties_the_old_place_then_fills_the_new_one(
    rig: Rig, drivers: ToldDrivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await healthy(rig, drivers)
    _keep_backups(rig, monkeypatch)
    drivers.of("namespace").answers["restore"] = [TemporaryError("The volume is not there yet.")]
    await rig.want(tenant, substrate="namespace")
    await rig.reconciler().reconcile(tenant.id)
    assert drivers.calls == [
        ("process", "release", "running"),
        ("process", "confirm_gone", "nothing"),
        ("namespace", "restore", "suspended"),
    ]
    between = await rig.tenant(tenant)
    assert (between.restore_from, between.observed["substrate"]) == ("the-backup", "namespace")

    drivers.calls.clear()
    async with rig.platform.database.transaction() as session:
        await desired.retry_now(session, tenant.id)
    await rig.reconciler().reconcile(tenant.id)
    assert drivers.calls == [
        ("namespace", "restore", "suspended"),
        ("namespace", "prepare", "suspended"),
        ("namespace", "settle", "running"),
    ], "the old place is not touched again"
    moved = await rig.tenant(tenant)
    assert (moved.state, moved.restore_from, moved.observed["substrate"]) == ("healthy", None, "namespace")


async def test_a_cell_whose_plan_is_lost_is_not_destroyed_unsaved(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await healthy(rig, drivers)
    async with rig.platform.database.transaction() as session:
        row = await session.get(Tenant, tenant.id)
        assert row is not None
        row.plan, row.observed = "gone", {**row.observed, "substrate": "namespace"}
    await rig.want(tenant, state=Desired.ABSENT)
    await rig.reconciler().reconcile(tenant.id)
    assert rig.probe.cell(tenant.slug) is not None
    assert (await rig.tenant(tenant)).deleted_at is None
    await rig.want(tenant, skip_backup=True)
    await rig.reconciler().reconcile(tenant.id)
    assert rig.probe.cell(tenant.slug) is None


async def test_a_cell_whose_driver_keeps_the_backups_is_destroyed_without_an_update(
    rig: Rig, drivers: ToldDrivers
) -> None:
    tenant = await healthy(rig, drivers)
    async with rig.platform.database.transaction() as session:
        row = await session.get(Tenant, tenant.id)
        assert row is not None
        row.substrate, row.observed = "namespace", {**row.observed, "substrate": "namespace"}
    before = len(rig.probe.starts())
    await rig.want(tenant, state=Desired.ABSENT, skip_backup=True)
    await rig.reconciler().reconcile(tenant.id)
    verbs = [line.replace("--non-interactive ", "").split()[0] for line in rig.probe.starts()[before:]]
    assert verbs == ["destroy"]
    assert (await rig.tenant(tenant)).state == "deleted"


async def test_what_somebody_changed_is_repaired_and_the_operation_says_so(rig: Rig, drivers: ToldDrivers) -> None:
    driver = drivers.of("process")
    driver.objects = {"NetworkPolicy/default-deny": "a", "StatefulSet/gateway": "b"}
    tenant = await healthy(rig, drivers)
    await rig.fetch_jobs()
    sweep = HealthSweep(database=rig.platform.database, probes={"process": driver})
    assert (await sweep.run()).repairs == 0
    driver.objects = {"StatefulSet/gateway": "b"}
    assert (await sweep.run()).repairs == 1
    seen = await rig.tenant(tenant)
    assert seen.state == "degraded"
    assert seen.state_reason == "Somebody changed the cell from outside: NetworkPolicy default-deny is gone."
    await rig.reconciler().reconcile(tenant.id)
    repair = (await rig.operations(tenant))[-1]
    assert (repair.kind, repair.status, repair.reason) == ("update", "succeeded", seen.state_reason)
    assert (await rig.tenant(tenant)).state == "healthy"


async def test_what_was_never_built_cannot_be_backed_up(rig: Rig, drivers: ToldDrivers) -> None:
    tenant = await rig.create()
    with pytest.raises(ClawstackError) as refused:
        async with rig.platform.database.transaction() as session:
            await desired.request_backup(session, tenant.id)
    assert refused.value.code == "nothing_to_back_up"
    async with rig.platform.database.transaction() as session:
        assert await session.get(Cell, tenant.id) is None


def _keep_backups(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest: dict[str, Any] = dict.fromkeys(ArchiveManifest.__dataclass_fields__, "")

    async def find(location: str) -> Archive:
        return Archive(folder=Path(location), manifest=ArchiveManifest(**manifest), key="")

    async def latest(_: AsyncSession, tenant_id: uuid.UUID) -> str | None:
        return "the-backup"

    known = rig.seen.neighbours

    def neighbours() -> Neighbours:
        made = known()
        object.__setattr__(made, "find_archive", find)
        object.__setattr__(made, "latest_backup", latest)
        return made

    monkeypatch.setattr(rig.seen, "neighbours", neighbours)
