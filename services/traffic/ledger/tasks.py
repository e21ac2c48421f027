"""Periodic work of the LLM proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import procrastinate

from clawstack.logs import get_logger
from services.kit.database.connection import Database
from services.kit.jobs.queue import DEFAULT_QUEUE
from services.traffic.ledger import repository

log = get_logger(__name__)

_AT_ONCE: Final = 500


async def expire_reservations(database: Database) -> int:
    """Charge every reservation that nobody settled in time as an estimate; how many there were."""
    total = 0
    while True:
        async with database.transaction() as session:
            count = await repository.expire(session, most=_AT_ONCE)
        total += count
        if count < _AT_ONCE:
            break
    if total:
        log.warning("reservations_expired", count=total)
    return total


def register(database: Database) -> Callable[[procrastinate.App], None]:
    """Declares `llm_proxy.expire_reservations`, once a minute."""

    def declare(app: procrastinate.App) -> None:
        @app.periodic(cron="* * * * *")
        @app.task(
            name="llm_proxy.expire_reservations",
            queue=DEFAULT_QUEUE,
            queueing_lock="llm_proxy.expire_reservations",
        )
        async def expire(timestamp: int) -> None:
            del timestamp
            await expire_reservations(database)

    return declare
