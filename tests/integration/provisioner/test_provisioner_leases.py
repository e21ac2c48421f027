"""Leases on a real database: one holder, a rising fence, no write of a holder that was passed over."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.business.tenants.desired import create_tenant
from services.cells.engine.identity import ProcessIdentity
from services.cells.workers import leases
from services.cells.workers.leases import Grant, Held, LeaseLostError
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.tenants import CellLease
from tests.integration.provisioner.rig import new_tenant

TTL = timedelta(seconds=30)
PROCESS = ProcessIdentity(host="here", group=4711, started=1_700_000_000.25)


@pytest.fixture
async def cell(database: Database) -> uuid.UUID:
    async with database.transaction() as session:
        return (await create_tenant(session, new_tenant())).id


async def take(database: Database, cell: uuid.UUID, holder: str) -> Grant | Held:
    async with database.transaction() as session:
        return await leases.acquire(session, cell, holder=holder, ttl=TTL)


async def granted(database: Database, cell: uuid.UUID, holder: str) -> Grant:
    answer = await take(database, cell, holder)
    assert isinstance(answer, Grant)
    return answer


async def expire(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(update(CellLease).values(expires_at=utcnow() - timedelta(seconds=1)))


async def test_of_twenty_at_once_one_gets_the_lease(database: Database, cell: uuid.UUID) -> None:
    answers = await asyncio.gather(*(take(database, cell, f"worker-{number}") for number in range(20)))
    assert sum(isinstance(answer, Grant) for answer in answers) == 1
    (until,) = {answer.until for answer in answers if isinstance(answer, Held)}
    assert timedelta(seconds=25) < until - utcnow() <= TTL


async def test_a_lease_that_ended_goes_to_the_next_with_a_higher_fence_and_the_old_process(
    database: Database, cell: uuid.UUID
) -> None:
    first = await granted(database, cell, "first")
    async with database.transaction() as session:
        await leases.record_process(session, first, PROCESS)
    await expire(database)
    second = await granted(database, cell, "second")
    assert second.fence == first.fence + 1
    assert second.previous == PROCESS

    with pytest.raises(LeaseLostError):
        async with database.transaction() as session:
            await leases.renew(session, first, ttl=TTL)
    with pytest.raises(LeaseLostError):
        async with database.transaction() as session:
            await leases.record_process(session, first, PROCESS)
    with pytest.raises(LeaseLostError):
        async with database.transaction() as session:
            await leases.confirm(session, first)
    async with database.transaction() as session:
        await leases.release(session, first)
        await leases.confirm(session, second)


async def test_a_lease_that_was_given_back_names_no_process(database: Database, cell: uuid.UUID) -> None:
    first = await granted(database, cell, "first")
    async with database.transaction() as session:
        await leases.record_process(session, first, PROCESS)
        await leases.release(session, first)
    again = await granted(database, cell, "first")
    assert (again.fence, again.previous) == (first.fence + 1, None)


async def test_renewing_keeps_a_lease(database: Database, cell: uuid.UUID) -> None:
    first = await granted(database, cell, "first")
    await expire(database)
    async with database.transaction() as session:
        await leases.renew(session, first, ttl=TTL)  # late, but nobody else was quicker
    assert isinstance(await take(database, cell, "second"), Held)
