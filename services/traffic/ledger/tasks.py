"""Periodic work of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import procrastinate

from clawstack.logs import get_logger
from services.kit.database.connection import Database
from services.kit.jobs.periodic import EVERY_MINUTE, periodic
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
    return periodic("llm_proxy.expire_reservations", cron=EVERY_MINUTE, work=partial(expire_reservations, database))
