"""However many follow an operation, one look a turn serves them all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.business.tenants import operations, streams
from services.business.tenants.watching import EventWatch
from services.kit.database.base import utcnow
from services.tables.tenants import Operation, OperationEvent
from tests.integration.provisioner.rig import Rig
from tests.waiting import eventually, patient


class Counted:
    """A function of the module `operations` that counts its calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.calls = 0
        self._real = getattr(operations, name)
        monkeypatch.setattr(operations, name, self._call)

    async def _call(self, *args: Any, **named: Any) -> Any:
        self.calls += 1
        return await self._real(*args, **named)


async def test_followers_share_one_look_and_hear_of_everything(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = await rig.create()
    operation = Operation(
        tenant_id=tenant.id, kind="update", status="running", generation=1, attempt=1, fence=1, worker="nobody"
    )
    async with rig.platform.database.transaction() as session:
        session.add(operation)
    looks, reads = Counted(monkeypatch, "marks"), Counted(monkeypatch, "events_after")
    watch = EventWatch(rig.platform.database, seconds=0.02)

    async def heard() -> list[str]:
        return [str(event.event) async for event in streams.operation_stream(watch, operation.id, after=0)]

    async def of_tenant() -> str:
        following = streams.tenant_stream(watch, tenant.id, after=0)
        return str((await anext(following)).event)

    followers = [asyncio.create_task(heard()) for _ in range(12)]
    another = asyncio.create_task(of_tenant())
    await eventually(lambda: reads.calls >= 12 and looks.calls >= 2, "looks and reads")
    await asyncio.sleep(0)
    before, then = reads.calls, looks.calls
    await eventually(lambda: looks.calls >= then + 10, "looks and reads")
    assert reads.calls <= before + 12, "at most one look of each, called by the first turn"
    quiet = reads.calls
    async with rig.platform.database.transaction() as session:
        session.add(OperationEvent(operation_id=operation.id, sequence=1, kind="started", message="x"))
    await eventually(lambda: reads.calls >= quiet + 12, "looks and reads")
    async with rig.platform.database.transaction() as session:
        stored = await session.get_one(Operation, operation.id)
        stored.status, stored.finished_at = "succeeded", utcnow()
        session.add(OperationEvent(operation_id=operation.id, sequence=2, kind="finished", message="x"))
    async with asyncio.timeout(patient(20)):
        assert await asyncio.gather(*followers) == [["started", "finished"]] * 12
        assert await another == "started"
    seen = looks.calls
    await asyncio.sleep(0.1)
    assert looks.calls <= seen + 1, "nobody follows, nobody looks"
