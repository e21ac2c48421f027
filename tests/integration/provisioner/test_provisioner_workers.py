"""Workers that die, stall and overlap: real processes, real signals."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from clawstack.crypto import MasterKey
from clawstack.vocabulary import Desired
from services.tables.tenants import Operation, Tenant
from tests.integration.provisioner.rig import Rig, engine_processes, until
from tests.waiting import patient

LEASE_SECONDS = 3.0


@dataclass
class Workers:
    """Starts worker processes and ends them."""

    rig: Rig
    given: dict[str, Any]
    running: list[subprocess.Popen[str]]

    def start(self) -> subprocess.Popen[str]:
        log = (self.rig.platform.settings.data_dir / f"worker-{len(self.running)}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.provisioner.worker_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).resolve().parents[3],
        )
        log.close()
        assert process.stdin is not None
        process.stdin.write(json.dumps(self.given))
        process.stdin.close()
        self.running.append(process)
        return process

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.rig.platform.settings.data_dir.glob("worker-*.log"))

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(patient(10))
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def workers(rig: Rig, postgres_url: str, master_key: MasterKey) -> Iterator[Workers]:
    tools = {
        name: [str(path) for path in value] if isinstance(value, tuple) else str(value)
        for name, value in asdict(rig.probe.tools()).items()
    }
    workers = Workers(
        rig=rig,
        running=[],
        given={
            "data_dir": str(rig.platform.settings.data_dir),
            "database_url": postgres_url,
            "master_key": base64.b64encode(master_key._key).decode(),
            "probe": str(rig.probe.folder),
            "tools": tools,
            "lease_seconds": LEASE_SECONDS,
            "stalled_seconds": 2.0,
        },
    )
    yield workers
    workers.end()
    for process in engine_processes(rig.platform.settings.data_dir):
        process.kill()


async def state_is(rig: Rig, tenant: Tenant, state: str) -> bool:
    return (await rig.tenant(tenant)).state == state


def _lives(mark: dict[str, Any]) -> bool:
    """The plugin that wrote this mark still runs: its number alone could be another's by now."""
    try:
        process = psutil.Process(mark["pid"])
        return process.create_time() == mark["started"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def overlaps(journal: list[dict[str, Any]]) -> list[str]:
    """Calls on one cell that began while another was under way. A killed plugin never writes its end."""
    found: list[str] = []
    open_calls: dict[str, dict[str, Any]] = {}
    for mark in sorted(journal, key=lambda mark: mark["at"]):
        slug = mark["slug"]
        if mark["phase"] == "begin":
            if slug in open_calls and _lives(open_calls[slug]):
                found.append(f"{mark} during {open_calls[slug]}")
            open_calls[slug] = mark
        elif open_calls.get(slug, {}).get("pid") == mark["pid"]:
            del open_calls[slug]
    return found


async def succeeded(rig: Rig, tenant: Tenant) -> list[Operation]:
    return [row for row in await rig.operations(tenant) if row.status == "succeeded"]


@pytest.mark.parametrize("phase", ["create", "delete"])
async def test_a_worker_killed_in_the_middle_is_taken_over(rig: Rig, workers: Workers, phase: str) -> None:
    first = workers.start()
    tenant = await rig.create()
    wanted, kind, op = ("healthy", "provision", "create")
    if phase == "delete":
        await until(lambda: state_is(rig, tenant, "healthy"))
        wanted, kind, op = ("deleted", "destroy", "delete")
    hold = rig.probe.hold(op, tenant.slug)
    if phase == "delete":
        await rig.want(tenant, state=Desired.ABSENT)
    await until(lambda: rig.probe.begun(op, tenant.slug))
    before = engine_processes(rig.platform.settings.data_dir)
    assert len(before) >= 2

    first.kill()
    first.wait(patient(10))
    workers.start()
    # The second worker has ended what the first one left before it begins the same again.
    await until(lambda: rig.probe.begun(op, tenant.slug) >= 2, seconds=60)
    assert not any(process.is_running() and process.status() != "zombie" for process in before)
    hold.unlink()
    await until(lambda: state_is(rig, tenant, wanted), seconds=60)

    rows = [row for row in await rig.operations(tenant) if row.kind == kind]
    assert [row.status for row in rows] == ["interrupted", "succeeded"]
    assert [row.attempt for row in rows] == [1, 2]
    assert (rig.probe.cell(tenant.slug) is None) == (phase == "delete")
    await until(lambda: not engine_processes(rig.platform.settings.data_dir))
    locks = rig.platform.settings.data_dir / "state" / tenant.slug / ".pulumi" / "locks"
    assert list(locks.rglob("*.json")) == []


async def test_a_dead_workers_job_does_not_block_the_one_that_waits_behind_it(rig: Rig, workers: Workers) -> None:
    first = workers.start()
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    await until(lambda: rig.probe.begun("create", tenant.slug))
    assert await rig.want(tenant, plan="pro"), "a second job now waits behind the one that runs"
    first.kill()
    hold.unlink()
    workers.start()
    await until(lambda: state_is(rig, tenant, "healthy"), seconds=60)
    assert (await rig.tenant(tenant)).observed["plan"] == "pro"
    await until(rig.idle, seconds=30)


async def test_a_worker_that_slept_past_its_lease_has_no_effect(rig: Rig, workers: Workers) -> None:
    first = workers.start()
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    await until(lambda: rig.probe.begun("create", tenant.slug))
    (old,) = await rig.operations(tenant)
    first.send_signal(signal.SIGSTOP)

    workers.start()
    await until(lambda: rig.probe.begun("create", tenant.slug) >= 2, seconds=60)
    hold.unlink()
    await until(lambda: state_is(rig, tenant, "healthy"), seconds=60)
    done = await rig.tenant(tenant)
    told = len(await rig.events(old))

    first.send_signal(signal.SIGCONT)
    await until(lambda: "reconcile_passed_over" in workers.logs())
    after = await rig.tenant(tenant)
    assert (after.state, after.updated_at, after.failures) == ("healthy", done.updated_at, 0)
    rows = await rig.operations(tenant)
    assert [(row.status, row.attempt) for row in rows] == [("interrupted", 1), ("succeeded", 2)]
    assert len(await rig.events(old)) == told, "the passed-over worker adds nothing to what was closed"
    assert rig.probe.begun("create", tenant.slug) == 2
    assert overlaps(rig.probe.journal()) == []


async def test_fifty_wishes_at_once_are_one_operation(rig: Rig, workers: Workers) -> None:
    tenant = await rig.create()
    workers.start()
    workers.start()
    await until(lambda: state_is(rig, tenant, "healthy"))
    changes = await asyncio.gather(*(rig.want(tenant, state=Desired.SUSPENDED) for _ in range(50)))
    assert changes.count(True) == 1
    await until(lambda: state_is(rig, tenant, "suspended"))
    await asyncio.gather(*(rig.request(tenant) for _ in range(50)))
    await until(rig.idle)
    kinds = [(row.kind, row.status) for row in await rig.operations(tenant)]
    assert kinds == [("provision", "succeeded"), ("suspend", "succeeded")]


async def test_many_cells_and_two_workers_never_overlap_on_one_cell(rig: Rig, workers: Workers) -> None:
    workers.start()
    workers.start()
    tenants = [await rig.create(name_hint=f"cell {number}") for number in range(3)]
    for nudge in range(8):
        await until(lambda: len(rig.probe.journal()) > 4 * nudge, seconds=60)  # noqa: B023 - awaited right here
        for tenant in tenants:
            await rig.want(tenant, state=Desired.SUSPENDED if nudge % 2 else Desired.RUNNING, restart=True)
            await rig.request(tenant)
    await until(rig.idle, seconds=120)
    for tenant in tenants:
        assert (await rig.tenant(tenant)).state == "suspended"
        rows = await rig.operations(tenant)
        assert len(rows) >= 4
        assert all(row.status == "succeeded" for row in rows)
        for earlier, later in pairwise(rows):
            assert earlier.finished_at is not None
            assert earlier.finished_at <= later.created_at
    assert overlaps(rig.probe.journal()) == []


async def test_a_worker_told_to_stop_hands_its_work_over(rig: Rig, workers: Workers) -> None:
    first = workers.start()
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    await until(lambda: rig.probe.begun("create", tenant.slug))
    first.send_signal(signal.SIGINT)
    hold.unlink()
    first.wait(patient(30))
    assert engine_processes(rig.platform.settings.data_dir) == []
    workers.start()
    await until(lambda: state_is(rig, tenant, "healthy"), seconds=60)
    assert len(await succeeded(rig, tenant)) == 1


async def test_no_secret_reaches_logs_events_or_clear_state(rig: Rig, workers: Workers) -> None:
    workers.start()
    tenant = await rig.create()
    await until(lambda: state_is(rig, tenant, "healthy"))
    async with rig.platform.database.transaction() as session:
        names = ("proxy_token", "channel_token", "gateway_token", "passphrase", "backup_key")
        secrets = [await rig.platform.vault.get(session, tenant.id, name) for name in names]
        tables = ("operation_events", "operations", "tenants", "cells", "outbox", "procrastinate_jobs")
        rows = "SELECT coalesce(json_agg(t), '[]') FROM {} t"
        written = [str((await session.execute(text(rows.format(table)))).scalar_one()) for table in tables]
    assert all(secrets)
    assert tenant.slug in written[2]
    data = rig.platform.settings.data_dir
    files = [path for path in data.rglob("*") if path.is_file() and "probe" not in path.parts]
    contents = [*written, workers.logs(), *(path.read_bytes().decode(errors="replace") for path in files)]
    for secret in secrets:
        assert secret is not None
        assert not any(secret in content for content in contents)


async def test_the_database_may_go_away_during_an_operation(rig: Rig, workers: Workers) -> None:
    """Connections are cut in the middle; events and result are written once it is back."""
    workers.start()
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    await until(lambda: rig.probe.begun("create", tenant.slug))
    async with rig.platform.database.transaction() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    hold.unlink()
    await until(lambda: state_is(rig, tenant, "healthy"), seconds=60)
    (operation, *more) = await rig.operations(tenant)
    if operation.status == "succeeded":
        assert more == []
    sequence = [event.sequence for event in await rig.events((await succeeded(rig, tenant))[0])]
    assert sequence == list(range(1, len(sequence) + 1))
