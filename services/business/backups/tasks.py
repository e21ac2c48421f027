"""Jobs of backups."""

from __future__ import annotations

from collections.abc import Callable

import procrastinate

from services.business.backups.uploading import Uploader
from services.kit.jobs.queue import DEFAULT_QUEUE


def register(uploader: Uploader) -> Callable[[procrastinate.App], None]:
    """Declares `backups.upload`, once a minute, one at a time: an upload that lasts longer keeps the next one waiting."""

    def declare(app: procrastinate.App) -> None:
        @app.periodic(cron="* * * * *")
        @app.task(name="backups.upload", queue=DEFAULT_QUEUE, lock="backups.upload", queueing_lock="backups.upload")
        async def upload(timestamp: int) -> None:
            del timestamp
            await uploader.run()

    return declare
