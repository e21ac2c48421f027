"""What becomes of failures, cancellations, early deletions and wrong wishes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from clawstack.errors import ConflictError, NeedsAttentionError
from clawstack.vocabulary import Desired
from services.business.access.schemas import Principal
from services.business.tenants import desired, operations, service
from services.cells.provisioner import cells
from services.cells.provisioner.borders import Program
from services.cells.provisioner.machine import Machine
from services.cells.workers.metrics import OperationMetrics
from services.kit.database.base import utcnow
from services.run.parts.provisioner import create_reconciler, preview_tenant
from services.tables.notifications import OutboxMessage
from services.tables.tenants import Cell, Tenant
from tenants.spec import CellSpec
from tests.integration.provisioner.programs import probe_program
from tests.integration.provisioner.rig import Rig, engine_processes, until

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def judge(args, report):
    if args.resource_type == "probe:index:Cell" and args.props["plan"] == "starter":
        report("Starter is not allowed here. Choose another plan.")

PolicyPack("planted", enforcement_level=EnforcementLevel.MANDATORY, policies=[
    ResourceValidationPolicy(name="cell-avoids-starter", description="Planted.", validate=judge),
])
"""


async def test_a_temporary_failure_is_tried_again_later_and_told_after_a_while(rig: Rig) -> None:
    tenant = await rig.create()
    failure = rig.probe.fail("create", tenant.slug, "The disk is busy.")
    reconciler = rig.reconciler()
    await rig.fetch_jobs()
    await reconciler.reconcile(tenant.id)
    failed = await rig.tenant(tenant)
    assert (failed.state, failed.state_code, failed.failures) == ("provisioning", "probe_busy", 1)
    assert failed.state_reason == "The disk is busy."
    assert failed.retry_at is not None
    assert utcnow() < failed.retry_at < utcnow() + timedelta(seconds=30)
    assert await scheduled_at(rig, tenant) == failed.retry_at

    await reconciler.reconcile(tenant.id)
    assert len(await rig.operations(tenant)) == 1, "too early: nothing is tried"

    failure.unlink()
    async with rig.platform.database.transaction() as session:
        await desired.retry_now(session, tenant.id)
    await reconciler.reconcile(tenant.id)
    mended = await rig.tenant(tenant)
    assert (mended.state, mended.state_reason, mended.failures) == ("healthy", None, 0)
    assert [(row.status, row.attempt) for row in await rig.operations(tenant)] == [("failed", 1), ("succeeded", 2)]


async def test_a_gateway_that_refuses_is_tried_a_few_times_before_somebody_is_called(rig: Rig) -> None:
    tenant = await rig.create()
    rig.probe.fail("create", tenant.slug, "attention gateway_refused_config: It refuses to start (exit code 78).")
    reconciler = rig.reconciler()
    states = []
    for _ in range(4):
        async with rig.platform.database.transaction() as session:
            await session.execute(update(Tenant).values(retry_at=None))  # the pause is over
        await reconciler.reconcile(tenant.id)
        states.append((await rig.tenant(tenant)).state)
    assert states == ["provisioning", "provisioning", "provisioning", "needs_attention"]
    given_up = await rig.tenant(tenant)
    assert (given_up.state_code, given_up.blocked_generation) == ("gateway_refused_config", given_up.generation)


async def test_a_cell_whose_port_was_taken_gets_another_one_at_once(rig: Rig) -> None:
    tenant = await rig.create()
    failure = rig.probe.fail("create", tenant.slug, "attention port_in_use: Port 8000 is taken by process 1.")
    reconciler = rig.reconciler()
    async with rig.platform.database.transaction() as session:
        taken = (await cells.ensure_cell(session, tenant, rig.platform.settings)).port
    await reconciler.reconcile(tenant.id)
    failed = await rig.tenant(tenant)
    assert (failed.state, failed.state_code) == ("provisioning", "port_in_use")
    assert failed.retry_at is not None, "nobody has to act"
    failure.unlink()
    async with rig.platform.database.transaction() as session:
        await desired.retry_now(session, tenant.id)
        assert (await session.get_one(Cell, tenant.id)).port != taken
    await reconciler.reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"


async def test_a_provider_that_asks_for_a_person_is_not_tried_again(rig: Rig) -> None:
    tenant = await rig.create()
    rig.probe.fail("create", tenant.slug, "attention: Somebody must look at the disk.")
    reconciler = rig.reconciler()
    await reconciler.reconcile(tenant.id)
    await reconciler.reconcile(tenant.id)
    stuck = await rig.tenant(tenant)
    assert (stuck.state, stuck.state_code) == ("needs_attention", "probe_stuck")
    assert stuck.state_reason == "Somebody must look at the disk."
    assert len(await rig.operations(tenant)) == 1


async def test_what_needs_somebody_waits_for_them(rig: Rig) -> None:
    tenant = await rig.create()

    def refusing(spec: CellSpec) -> Program:
        raise NeedsAttentionError("The substrate is on holiday.", code="on_holiday", remedy="Call it back.")

    reconciler = create_reconciler(
        platform=rig.platform,
        neighbours=rig.seen.neighbours(),
        make_program=refusing,
        machine=Machine(rig.probe.tools()),
        worker="refuser",
        metrics=OperationMetrics(),
    )
    await reconciler.reconcile(tenant.id)
    waiting = await rig.tenant(tenant)
    assert (waiting.state, waiting.state_code) == ("needs_attention", "on_holiday")
    assert waiting.state_reason == "The substrate is on holiday. Call it back."
    await reconciler.reconcile(tenant.id)
    assert len(await rig.operations(tenant)) == 1, "trying again would be pointless"
    async with rig.platform.database.transaction() as session:
        (message,) = await session.scalars(select(OutboxMessage))
        assert (message.kind, message.audience, message.payload["code"]) == (
            "needs_attention",
            "operator",
            "on_holiday",
        )

    await rig.want(tenant, restart=True)
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"


async def test_a_defect_is_a_failure_that_people_see(rig: Rig) -> None:
    tenant = await rig.create()

    def broken(spec: CellSpec) -> Program:
        raise ZeroDivisionError

    reconciler = create_reconciler(
        platform=rig.platform,
        neighbours=rig.seen.neighbours(),
        make_program=broken,
        machine=Machine(rig.probe.tools()),
        worker="broken",
        metrics=OperationMetrics(),
    )
    await reconciler.reconcile(tenant.id)
    failed = await rig.tenant(tenant)
    assert (failed.state, failed.state_code) == ("failed", "internal_error")
    assert failed.state_reason == "A defect in the platform: ZeroDivisionError."


async def test_a_person_can_cancel_an_operation(rig: Rig) -> None:
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    run = asyncio.create_task(rig.reconciler().reconcile(tenant.id))
    await until(lambda: rig.probe.begun("create", tenant.slug))
    (operation,) = await rig.operations(tenant)
    async with rig.platform.database.transaction() as session:
        assert await operations.request_cancel(session, operation.id)
    await run
    assert engine_processes(rig.platform.settings.data_dir) == []
    (operation,) = await rig.operations(tenant)
    assert (operation.status, operation.error_code) == ("cancelled", "operation_cancelled")
    waiting = await rig.tenant(tenant)
    assert waiting.state == "needs_attention"
    await rig.reconciler("worker-2").reconcile(tenant.id)
    assert len(await rig.operations(tenant)) == 1, "what somebody stopped is not started again by itself"

    hold.unlink()
    await rig.want(tenant, state=Desired.ABSENT)
    await rig.reconciler("worker-3").reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "deleted"
    assert rig.probe.cell(tenant.slug) is None


async def test_an_operation_over_its_budget_fails_for_now(rig: Rig) -> None:
    tight = rig.platform.settings.model_copy(update={"operation_timeout": timedelta(seconds=3)})
    object.__setattr__(rig.platform, "settings", tight)
    tenant = await rig.create()
    rig.probe.hold("create", tenant.slug)
    await rig.reconciler().reconcile(tenant.id)
    assert engine_processes(rig.platform.settings.data_dir) == []
    (operation,) = await rig.operations(tenant)
    assert (operation.status, operation.error_code) == ("failed", "operation_timeout")
    assert (await rig.tenant(tenant)).retry_at is not None


async def test_a_rule_of_the_policy_pack_stops_the_operation_and_is_named(rig: Rig) -> None:
    pack = rig.platform.settings.data_dir / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\ndescription: planted\n")
    (pack / "__main__.py").write_text(PACK)
    object.__setattr__(rig.platform, "settings", rig.platform.settings.model_copy(update={"policy_pack": pack}))
    tenant = await rig.create()
    await rig.reconciler().reconcile(tenant.id)
    waiting = await rig.tenant(tenant)
    assert (waiting.state, waiting.state_code) == ("needs_attention", "policy_violation")
    assert waiting.state_reason is not None
    reason = "Policy cell-avoids-starter refuses cell cell: Planted. Starter is not allowed here. Choose another plan."
    assert waiting.state_reason.startswith(reason)
    assert rig.probe.cell(tenant.slug) is None, "nothing was built"
    (operation,) = await rig.operations(tenant)
    (event,) = [event for event in await rig.events(operation) if event.kind == "policy"]
    assert (event.data["rule"], event.data["level"]) == ("cell-avoids-starter", "mandatory")
    assert event.data["resource"].endswith("::cell")

    await rig.want(tenant, plan="pro")
    await rig.reconciler("worker-2").reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"


async def test_events_survive_a_database_that_does_not_take_them(rig: Rig) -> None:
    tenant = await rig.create()
    run: asyncio.Task[None] | None = None
    async with rig.platform.database.transaction() as session:
        await session.execute(text("LOCK TABLE operation_events IN ACCESS EXCLUSIVE MODE"))
        run = asyncio.create_task(rig.reconciler().reconcile(tenant.id))
        await until(lambda: rig.probe.cell(tenant.slug) and len(rig.probe.journal()) == 2)
        assert not run.done(), "the engine went on, the end waits for its events"
    await run
    (operation,) = await rig.operations(tenant)
    events = await rig.events(operation)
    assert [event.kind for event in events] == ["started", "policy", "resource", "resource", "health", "finished"]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert sorted(event.created_at for event in events) == [event.created_at for event in events]


async def test_a_tenant_whose_plan_is_gone_can_still_be_destroyed(rig: Rig) -> None:
    tenant = await rig.create()
    await rig.reconciler().reconcile(tenant.id)
    async with rig.platform.database.transaction() as session:
        await session.execute(update(Tenant).values(plan="discontinued", bundle_version="0.0"))
    await rig.want(tenant, state=Desired.ABSENT)
    await rig.reconciler("worker-2").reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "deleted"
    assert rig.probe.cell(tenant.slug) is None


async def test_wanting_the_same_again_tries_again_what_waits_for_somebody(rig: Rig) -> None:
    tenant = await rig.create()
    async with rig.platform.database.transaction() as session:
        await session.execute(update(Tenant).values(state="needs_attention", blocked_generation=1))
        operator = Principal(key="k", name="op", kind="operator", customer_id=None, scopes=frozenset({"admin"}))
        _, changed = await service.want(session, operator, tenant.slug, Desired.RUNNING)
        assert not changed
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "healthy"


async def test_text_that_the_database_refuses_does_not_stop_an_operation(rig: Rig) -> None:
    tenant = await rig.create()
    rig.probe.fail("create", tenant.slug, "bad \x00 bytes \x1b[31m here")
    await rig.reconciler().reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state_reason == "bad  bytes  here"


async def test_deleting_before_anything_was_built_touches_no_stack(rig: Rig) -> None:
    tenant = await rig.create()
    assert await rig.want(tenant, state=Desired.ABSENT, reason="refunded")
    await rig.reconciler().reconcile(tenant.id)
    gone = await rig.tenant(tenant)
    assert (gone.state, gone.observed_state) == ("deleted", "absent")
    assert await rig.operations(tenant) == []
    assert rig.probe.starts() == []
    assert not await rig.want(tenant, state=Desired.ABSENT), "wanting it again changes nothing"
    with pytest.raises(ConflictError):
        await rig.want(tenant, state=Desired.RUNNING)


async def test_deletion_that_arrives_during_the_build_ends_absent(rig: Rig) -> None:
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    run = asyncio.create_task(rig.reconciler().reconcile(tenant.id))
    await until(lambda: rig.probe.begun("create", tenant.slug))
    await rig.want(tenant, state=Desired.ABSENT)
    hold.unlink()
    await run
    await rig.reconciler().reconcile(tenant.id)  # in a slot for endings
    assert (await rig.tenant(tenant)).state == "deleted"
    assert rig.probe.cell(tenant.slug) is None
    assert [row.kind for row in await rig.operations(tenant)] == ["provision", "destroy"]


async def test_an_operators_word_on_backups_reaches_the_state_before_the_deletion(rig: Rig) -> None:
    tenant = await rig.create()
    reconciler = rig.reconciler()
    await reconciler.reconcile(tenant.id)
    before = len(rig.probe.starts())
    await rig.want(tenant, state=Desired.ABSENT, skip_backup=True)
    await reconciler.reconcile(tenant.id)
    verbs = [line.replace("--non-interactive ", "").split()[0] for line in rig.probe.starts()[before:]]
    assert verbs == ["up", "destroy"]
    assert (await rig.tenant(tenant)).state == "deleted"


async def test_a_port_is_kept_until_the_cell_is_gone_and_busy_ones_are_skipped(rig: Rig) -> None:
    narrow = rig.platform.settings.model_copy(update={"cell_ports": "21000-21002"})
    tenants = [await rig.create(name_hint=name) for name in ("a", "b", "c")]
    async with rig.platform.database.transaction() as session:
        rows = [await session.get(Tenant, tenant.id) for tenant in tenants]
        given = []
        for row in rows[:2]:
            assert row is not None
            cell = await cells.ensure_cell(session, row, narrow, is_free=lambda port: port != 21001)
            again = await cells.ensure_cell(session, row, narrow)
            assert again.port == cell.port
            given.append(cell.port)
        assert sorted(given) == [21000, 21002]
        assert rows[2] is not None
        with pytest.raises(NeedsAttentionError) as caught:
            await cells.ensure_cell(session, rows[2], narrow, is_free=lambda port: port != 21001)
        assert caught.value.code == "no_free_port"
        assert rows[0] is not None
        await session.delete(await session.get_one(Cell, rows[0].id))
        await session.flush()
        freed = await cells.ensure_cell(session, rows[2], narrow, is_free=lambda port: port != 21001)
        assert freed.port == given[0]


async def test_events_are_numbered_complete_and_end_with_the_outcome(rig: Rig) -> None:
    tenant = await rig.create()
    await rig.reconciler().reconcile(tenant.id)
    (operation,) = await rig.operations(tenant)
    events = await rig.events(operation)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events] == ["started", "policy", "resource", "resource", "health", "finished"]
    assert events[0].message == "Building the assistant."
    assert events[-1].data == {"status": "succeeded"}


async def test_a_preview_writes_nothing(rig: Rig) -> None:
    tenant = await rig.create()
    steps = await preview_tenant(
        rig.platform,
        tenant.id,
        machine=Machine(rig.probe.tools()),
        neighbours=rig.seen.neighbours(),
        program_of=probe_program(rig.probe.folder),
    )
    assert [(step["action"], step["name"]) for step in steps] == [("create", "cell")]
    async with rig.platform.database.transaction() as session:
        assert (await session.scalars(select(Cell))).all() == []
        assert await rig.platform.vault.get(session, tenant.id, "proxy_token") is None
    assert rig.probe.journal() == []


async def scheduled_at(rig: Rig, tenant: Tenant) -> object:
    query = text("SELECT scheduled_at FROM procrastinate_jobs WHERE queueing_lock = :key AND status = 'todo'")
    async with rig.platform.database.transaction() as session:
        await session.execute(text("SELECT 1"))
        return (await session.execute(query, {"key": f"reconcile:{tenant.id}"})).scalar_one()
