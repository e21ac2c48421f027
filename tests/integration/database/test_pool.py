"""A process opens no more connections than its setting says, however much is under way."""

from __future__ import annotations

import asyncio

import psycopg
from sqlalchemy import text

from services.kit.database.connection import Database, libpq_url

_MINE = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_no_more_connections_than_its_pool_are_open_at_once(postgres_url: str) -> None:
    database = Database(postgres_url, most=3)
    held, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def work() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
            held.release()
            await go_on.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(work())
        for _ in range(3):
            await held.acquire()
        with psycopg.connect(libpq_url(postgres_url)) as looker:
            [(open_now,)] = looker.execute(_MINE).fetchall()
        go_on.set()
    await database.close()
    assert open_now == 3
