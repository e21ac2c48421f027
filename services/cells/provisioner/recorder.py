"""Carries an operation's steps from the engine's threads into the database: in order, redacted, none lost.

The engine never waits for the database: steps queue up in memory (an operation has dozens, not thousands) and are
written in batches. A database that is away is tried again until it is back or the operation is given up.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime
from typing import Final, Self

from clawstack.errors import TemporaryError
from clawstack.redaction import Redactor
from services.business.tenants import operations
from services.business.tenants.operations import EventRow
from services.cells.engine.narration import NarratedStep
from services.kit.database.base import utcnow
from services.kit.database.connection import Database

_BATCH: Final = 100
_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 2.0


class EventRecorder:
    """Use it as an async context manager around one operation: leaving it writes what is left."""

    def __init__(self, *, database: Database, redactor: Redactor, operation_id: uuid.UUID) -> None:
        self._database = database
        self._redactor = redactor
        self._operation_id = operation_id
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[NarratedStep, datetime] | None] = asyncio.Queue()
        self._sequence = 0
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write(), name=f"events-{self._operation_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.flush()

    @property
    def last_sequence(self) -> int:
        """Number of the last event written; final once the recorder is closed."""
        return self._sequence

    def tell(self, step: NarratedStep) -> None:
        """Take a step; callable from any thread, never blocks."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, (step, utcnow()))

    async def flush(self) -> None:
        """Return once everything told so far is written; nothing can be told afterwards."""
        if self._writer is None:
            return
        # Behind what threads have handed to the loop but the loop has not yet put into the queue.
        self._loop.call_soon(self._queue.put_nowait, None)
        writer, self._writer = self._writer, None
        await writer

    async def _write(self) -> None:
        closing = False
        while not closing:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            closing = batch[-1] is None
            rows = [self._row(*item) for item in batch if item is not None]
            if rows:
                await self._store(rows)

    def _row(self, step: NarratedStep, at: datetime) -> EventRow:
        self._sequence += 1
        return EventRow(
            sequence=self._sequence,
            kind=step.kind.value,
            message=self._redactor.text(step.message),
            data=self._redactor.value(step.data),
            created_at=at,
        )

    async def _store(self, rows: list[EventRow]) -> None:
        pause = _PAUSE
        while True:
            try:
                async with self._database.transaction() as session:
                    await operations.append_events(session, self._operation_id, rows)
            except TemporaryError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return
