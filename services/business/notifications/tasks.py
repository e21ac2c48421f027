"""Jobs of notifications."""

from __future__ import annotations

from collections.abc import Callable

import procrastinate

from services.business.notifications.service import Deliverer
from services.kit.jobs.periodic import EVERY_MINUTE, periodic


def register(deliverer: Deliverer) -> Callable[[procrastinate.App], None]:
    """Declares `notifications.deliver`, once a minute."""
    return periodic("notifications.deliver", cron=EVERY_MINUTE, work=deliverer.deliver_due)
