"""Wiring of the register of backups."""

from __future__ import annotations

from services.business.backups import tasks
from services.business.backups.stores.choosing import store_of
from services.business.backups.uploading import Uploader, UploadMetrics
from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api import backups


def create_part(platform: Platform) -> Part:
    """Backups as the factory takes them. Raises NeedsAttentionError for a CLAWSTACK_BACKUP_URL that names no store."""
    store_of(platform.settings)  # a wrong setting is told at the start, not by a job at night
    uploader = Uploader(platform=platform, metrics=UploadMetrics(platform.metrics))
    return Part(name="backups", routers=(backups.router,), register_tasks=tasks.register(uploader))
