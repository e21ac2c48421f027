"""Jobs of the Telegram router."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import procrastinate

from services.kit.database.connection import Database
from services.kit.jobs.periodic import periodic
from services.traffic.telegram.model.schemas import Retention
from services.traffic.telegram.retention import prune


def register(database: Database, retention: Retention) -> Callable[[procrastinate.App], None]:
    """Declares `telegram.prune`, twice an hour."""
    return periodic("telegram.prune", cron="13,43 * * * *", work=partial(prune, database, retention))
