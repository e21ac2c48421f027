"""Jobs of backups."""

from __future__ import annotations

from collections.abc import Callable

import procrastinate

from services.business.backups.uploading import Uploader
from services.kit.jobs.periodic import EVERY_MINUTE, periodic


def register(uploader: Uploader) -> Callable[[procrastinate.App], None]:
    """Declares `backups.upload`, once a minute, one at a time: an upload that lasts longer keeps the next one waiting."""
    return periodic("backups.upload", cron=EVERY_MINUTE, work=uploader.run, one_at_a_time=True)
