"""A handful of PostgreSQL connections for a hot path: opened when needed, kept while they live.

Unlike psycopg's own pool it has no background work: without a server a caller is told at once instead of waiting for a
reconnection, and the first caller after a restart connects.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg.pq import TransactionStatus

from clawstack.errors import TemporaryError
from services.kit.database.text import storable_text

_WAIT_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 5

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class Connections:
    """At most `size` connections, each statement on them a transaction of its own."""

    def __init__(self, url: str, *, size: int) -> None:
        """`url` as libpq takes it."""
        self._url = url
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection for a moment; raises psycopg.OperationalError without a server, TimeoutError when all are busy."""
        async with asyncio.timeout(_WAIT_SECONDS):
            await self._free.acquire()
        connection: Connection | None = None
        try:
            connection = await self._living() or await self._connect()
            yield connection
        finally:
            self._free.release()
            await self._keep(connection)

    async def row(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """First row of a statement; raises TemporaryError when the server does not answer, and as `storable_text`.

        A statement whose connection broke is tried once more on a new one: give only those that may be repeated.
        """
        try:
            try:
                return await self._executed(statement, values)
            except psycopg.OperationalError:
                return await self._executed(statement, values)
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as error:
            raise TemporaryError(
                "The database does not answer.", code="database_unavailable", retry_after=1.0
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            await self._idle.pop().close()

    async def _executed(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        async with self.one() as connection:
            with storable_text():
                cursor = await connection.execute(statement, values)
                return await cursor.fetchone()

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="clawstack",
            options="-c timezone=UTC",
        )

    async def _living(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not _ended_by_server(connection):
                return connection
            await connection.close()
        return None

    async def _keep(self, connection: Connection | None) -> None:
        if connection is None:
            return
        if not connection.closed and connection.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append(connection)
        else:  # broken, or left in the middle of a statement
            await connection.close()


def _ended_by_server(connection: Connection) -> bool:
    """Costs no round trip: an idle connection that has something to read was ended."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
