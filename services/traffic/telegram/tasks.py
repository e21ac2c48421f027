"""Jobs of the Telegram router."""

from __future__ import annotations

from collections.abc import Callable

import procrastinate

from services.kit.database.connection import Database
from services.kit.jobs.queue import DEFAULT_QUEUE
from services.traffic.telegram.model.schemas import Retention
from services.traffic.telegram.retention import prune


def register(database: Database, retention: Retention) -> Callable[[procrastinate.App], None]:
    """Declares `telegram.prune`, twice an hour."""

    def declare(app: procrastinate.App) -> None:
        @app.periodic(cron="13,43 * * * *")
        @app.task(name="telegram.prune", queue=DEFAULT_QUEUE, queueing_lock="telegram.prune")
        async def prune_task(timestamp: int) -> None:
            del timestamp
            await prune(database, retention)

    return declare
