"""The one way to PostgreSQL: an async engine and transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from clawstack.errors import TemporaryError
from services.kit.database.text import storable_text

#: A process that is stopped in the middle of a transaction must not keep its locks from everybody else for ever: the
#: server ends its session (seen: a suspended worker held a row, and no other could take its cell over).
SESSION_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=15s"


def driver_url(url: str) -> str:
    """`url` with the psycopg 3 driver, whatever driver it names."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def libpq_url(url: str) -> str:
    """`url` as psycopg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def session_conninfo(url: str) -> str:
    """`url` for psycopg, with the session options of every connection of the platform."""
    return make_conninfo(libpq_url(url), options=SESSION_OPTIONS)


class Database:
    """A pool of connections to one PostgreSQL. Made by the factory, closed with the process."""

    def __init__(self, url: str, *, most: int = 20) -> None:
        """`url`: any `postgresql://` URL; `most`: connections under load, of which half are kept."""
        self.url = libpq_url(url)
        self.engine: AsyncEngine = create_async_engine(
            driver_url(url),
            pool_size=(kept := max(most // 2, 1)),
            max_overflow=most - kept,
            pool_timeout=10,
            hide_parameters=True,  # parameters are people's words; errors are logged
            pool_pre_ping=True,  # a restarted server must cost no request
            connect_args={"connect_timeout": 5, "application_name": "clawstack", "options": SESSION_OPTIONS},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back on any error.

        Raises TemporaryError when the server cannot be reached, so that callers retry instead of failing, and
        InvalidInputError for text that PostgreSQL cannot hold.
        """
        try:
            with storable_text():
                async with self._sessions.begin() as session:
                    yield session
        except (OperationalError, InterfaceError, DBAPIError) as error:
            if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
                raise TemporaryError(
                    "The database does not answer.", code="database_unavailable", retry_after=1.0
                ) from error
            raise

    async def ping(self) -> None:
        """Raises TemporaryError when the database does not answer."""
        async with self.transaction() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
