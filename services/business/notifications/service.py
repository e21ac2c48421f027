"""Delivering the outbox: at least once, oldest first, with growing pauses after failures."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from clawstack.logs import get_logger
from clawstack.redaction import Redactor
from services.business.notifications import repository
from services.business.notifications.schemas import Audience, Message
from services.business.notifications.senders import Sender
from services.business.notifications.texts import text_of
from services.kit.backoff import Backoff
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.notifications import OutboxMessage

log = get_logger(__name__)

_SEND_SECONDS: Final = 20.0
_BACKOFF: Final = Backoff(first=30.0, longest=3600.0, spread=0.0)
_LONGEST_ERROR: Final = 300


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: half a minute, doubled each time, at most an hour."""
    return _BACKOFF.span(attempts)


class Deliverer:
    """Empties the outbox. Several may run at once: a message is held by one of them."""

    def __init__(self, *, database: Database, sender: Sender, redactor: Redactor) -> None:
        self._database = database
        self._sender = sender
        self._redactor = redactor

    async def deliver_due(self) -> int:
        """Try every message that is due now, once; how many were sent."""
        sent = 0
        while (outcome := await self._deliver_next()) is not None:
            sent += outcome
        return sent

    async def _deliver_next(self) -> bool | None:
        """True when one was sent, False when it failed, None when none is due."""
        async with self._database.transaction() as session:
            row = await repository.next_due(session, now=utcnow())
            if row is None:
                return None
            row.attempts += 1
            try:
                message = _message(row, await repository.address_of(session, row))
                await asyncio.wait_for(self._sender.send(message), _SEND_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever a sender raises means: not sent
                self._note_failure(row, error)
                return False
            row.sent_at = utcnow()
            row.last_error = None
            return True

    def _note_failure(self, row: OutboxMessage, error: Exception) -> None:
        row.last_error = self._redactor.text(f"{type(error).__name__}: {error}")[:_LONGEST_ERROR]
        row.retry_at = utcnow() + pause_after(row.attempts)
        log.warning("message_not_sent", message=str(row.id), attempts=row.attempts, error=row.last_error)


def _message(row: OutboxMessage, address: str | None) -> Message:
    subject, body = text_of(row.kind, row.payload)
    audience = Audience(row.audience)
    return Message(id=row.id, audience=audience, address=address, kind=row.kind, subject=subject, body=body)
