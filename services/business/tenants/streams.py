"""Events as they happen, for server-sent event streams. Reads the table: whoever joins late or again misses nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import JSONServerSentEvent, ServerSentEvent

from clawstack.errors import TemporaryError
from clawstack.redaction import Redactor
from clawstack.vocabulary import EventKind, OperationStatus
from services.business.tenants import operations
from services.business.tenants.schemas import EventView
from services.business.tenants.watching import EventWatch
from services.tables.tenants import OperationEvent

#: How long a closed operation may lack its last event (it is written in the same transaction, so never in fact).
_LAST_LOOKS: Final = 2


async def operation_stream(watch: EventWatch, operation_id: uuid.UUID, *, after: int) -> AsyncIterator[ServerSentEvent]:
    """Events of one operation after number `after`; ends once the operation is over and all are sent."""
    last, looks = after, 0
    with watch.following(operation_id) as news:
        while looks < _LAST_LOOKS:
            news.expect()
            try:
                async with watch.database.transaction() as session:
                    operation = await operations.by_id(session, operation_id)
                    over = operation is None or operation.status != OperationStatus.RUNNING
                    events = await operations.events_after(session, operation_id, sequence=last)
            except TemporaryError:
                await news.come()
                continue
            for event in events:
                last = event.sequence
                yield _sent(event, key=str(event.sequence))
                if event.kind == EventKind.FINISHED:
                    return
            looks = looks + 1 if over and not events else 0
            if not events and not over:
                await news.come()


async def tenant_stream(watch: EventWatch, tenant_id: uuid.UUID, *, after: int) -> AsyncIterator[ServerSentEvent]:
    """Events of all of a tenant's operations after row `after`, for as long as somebody listens."""
    last = after
    with watch.following(tenant_id) as news:
        while True:
            news.expect()
            try:
                async with watch.database.transaction() as session:
                    events = await operations.tenant_events_after(session, tenant_id, row=last)
            except TemporaryError:
                events = []
            for event in events:
                last = event.id
                yield _sent(event, key=str(event.id))
            if not events:
                await news.come()


async def log_stream(lines: AsyncIterator[str], redactor: Redactor) -> AsyncIterator[ServerSentEvent]:
    """Lines of a gateway's log, without secrets, for as long as somebody listens."""
    async for line in lines:
        yield ServerSentEvent(redactor.text(line), event="line")


def is_wanted(accept: str) -> bool:
    """True when an `Accept` header asks for a stream rather than a list."""
    return "text/event-stream" in accept


def resume_point(last_event_id: str | None) -> int:
    """The number in a `Last-Event-ID` header; anything else starts from the beginning."""
    text = last_event_id or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 - fits a bigint


def _sent(event: OperationEvent, *, key: str) -> ServerSentEvent:
    return JSONServerSentEvent(EventView.of(event).model_dump(mode="json"), event=event.kind, id=key)
