"""The outbox on a real database: sent once when all goes well, again when it does not, never lost."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import structlog
from procrastinate import App
from procrastinate.testing import InMemoryConnector
from sqlalchemy import select, update
from typing_extensions import override

from clawstack.redaction import Redactor
from services.business.notifications.schemas import Message
from services.business.notifications.service import Deliverer
from services.kit.context import Platform
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.run.parts.notifications import create_part
from services.tables.billing import Customer
from services.tables.notifications import OutboxMessage
from services.tables.tenants import Tenant
from tests.waiting import patient


@dataclass(kw_only=True)
class Recorder:
    """A sender that remembers, and fails while it is told to."""

    sent: list[Message] = field(default_factory=list)
    failing: bool = False

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0.01)  # long enough for two deliverers to meet
        if self.failing:
            raise ConnectionError("mail server said no to sk-secret-secret-secret")
        self.sent.append(message)


def deliverer(database: Database, sender: Recorder) -> Deliverer:
    return Deliverer(database=database, sender=sender, redactor=Redactor())


async def owe(
    database: Database, count: int = 1, *, audience: str = "operator", tenant: uuid.UUID | None = None
) -> None:
    async with database.transaction() as session:
        for number in range(count):
            key = f"{audience}:{uuid.uuid4()}:{number}"
            row = OutboxMessage(
                deduplication_key=key, audience=audience, tenant_id=tenant, kind="healthy", payload={"tenant": "kim"}
            )
            session.add(row)


async def rows(database: Database) -> list[OutboxMessage]:
    async with database.transaction() as session:
        return list((await session.scalars(select(OutboxMessage))).all())


async def test_each_message_is_sent_once_by_several_deliverers_at_once(database: Database) -> None:
    recorder = Recorder()
    await owe(database, 20)
    counts = await asyncio.gather(*(deliverer(database, recorder).deliver_due() for _ in range(4)))
    assert sum(counts) == len(recorder.sent) == len({message.id for message in recorder.sent}) == 20
    assert all(row.sent_at is not None and row.attempts == 1 for row in await rows(database))
    assert await deliverer(database, recorder).deliver_due() == 0


async def test_a_customers_message_carries_the_customers_address(database: Database) -> None:
    tenant_id, customer_id = uuid.uuid4(), uuid.uuid4()
    async with database.transaction() as session:
        session.add(Customer(id=customer_id, email="parent@example.org"))
        await session.flush()
        session.add(
            Tenant(
                id=tenant_id, slug="kim", customer_id=customer_id, plan="starter", bundle="parenting",
                bundle_version="1", substrate="process", answers={}, desired_state="running",
            )
        )  # fmt: skip
    await owe(database, audience="customer", tenant=tenant_id)
    await owe(database, audience="operator", tenant=tenant_id)
    recorder = Recorder()
    await deliverer(database, recorder).deliver_due()
    assert sorted((message.audience.value, message.address) for message in recorder.sent) == [
        ("customer", "parent@example.org"),
        ("operator", None),
    ]


async def test_a_failed_message_is_kept_with_the_reason_and_tried_again_later(database: Database) -> None:
    recorder = Recorder(failing=True)
    await owe(database)
    assert await deliverer(database, recorder).deliver_due() == 0
    (row,) = await rows(database)
    assert (row.sent_at, row.attempts) == (None, 1)
    assert row.last_error == "ConnectionError: mail server said no to sk-[secret]"
    assert row.retry_at is not None
    assert row.retry_at > utcnow() + timedelta(seconds=20)
    recorder.failing = False
    assert await deliverer(database, recorder).deliver_due() == 0  # not before its time
    async with database.transaction() as session:
        await session.execute(update(OutboxMessage).values(retry_at=utcnow()))
    assert await deliverer(database, recorder).deliver_due() == 1
    (row,) = await rows(database)
    assert (row.attempts, row.last_error) == (2, None)


async def test_a_message_that_cannot_be_sent_does_not_hold_up_the_others(database: Database) -> None:
    recorder = Recorder()
    await owe(database, audience="nobody")
    await owe(database, 3)
    assert await deliverer(database, recorder).deliver_due() == 3
    assert [row.attempts for row in await rows(database) if row.sent_at is None] == [1]


async def test_a_sender_that_hangs_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.business.notifications.service._SEND_SECONDS", 0.05)

    class Hanging(Recorder):
        @override
        async def send(self, message: Message) -> None:
            await asyncio.Event().wait()

    await owe(database)
    assert await asyncio.wait_for(deliverer(database, Hanging()).deliver_due(), patient(5)) == 0
    assert [row.attempts for row in await rows(database)] == [1]


async def test_the_job_writes_messages_into_the_log(platform: Platform) -> None:
    app = App(connector=InMemoryConnector())
    part = create_part(platform)
    assert part.register_tasks is not None
    part.register_tasks(app)
    await owe(platform.database)
    with structlog.testing.capture_logs() as entries:
        await app.tasks["notifications.deliver"](timestamp=0)
    (entry,) = [entry for entry in entries if entry["event"] == "message"]
    assert entry["subject"] == "Your assistant is ready"
