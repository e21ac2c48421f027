"""Jobs of notifications."""

from __future__ import annotations

from collections.abc import Callable

import procrastinate

from services.business.notifications.service import Deliverer
from services.kit.jobs.queue import DEFAULT_QUEUE


def register(deliverer: Deliverer) -> Callable[[procrastinate.App], None]:
    """Declares `notifications.deliver`, once a minute."""

    def declare(app: procrastinate.App) -> None:
        @app.periodic(cron="* * * * *")
        @app.task(name="notifications.deliver", queue=DEFAULT_QUEUE, queueing_lock="notifications.deliver")
        async def deliver(timestamp: int) -> None:
            del timestamp
            await deliverer.deliver_due()

    return declare
