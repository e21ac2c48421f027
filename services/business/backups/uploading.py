"""Moves archives from where cells leave them to the store, and proves that they are there before anything is removed.

Every step can be repeated after a kill: an upload replaces what a former one left, the record is changed once what the
store gives back has the right checksum, and copies are removed only of archives whose record says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from clawstack.errors import ClawstackError, NotFoundError, TemporaryError
from clawstack.logs import get_logger
from services.business.backups import repository
from services.business.backups.fetching import ARCHIVE_SUFFIX, manifest_name
from services.business.backups.stores.choosing import landing_folder, store_of
from services.business.backups.stores.protocol import BackupStore, digest
from services.kit.context import Platform
from services.tables.backups import Backup

log = get_logger(__name__)

_LATER: Final = 60.0


class UploadMetrics:
    """How many archives wait for the store: an alert when it stays above zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge("clawstack_backups_waiting", "Archives that are not in the store yet", registry=registry)


class Uploader:
    """One pass at a time; a pass that fails in part goes on with the other archives."""

    def __init__(self, *, platform: Platform, metrics: UploadMetrics) -> None:
        self._platform = platform
        self._metrics = metrics
        self.waiting = 0
        """Archives that were not in the store after the last pass."""

    async def run(self) -> int:
        """Upload what waits and remove copies that are not needed; returns how many archives reached the store.

        Raises NeedsAttentionError for settings that name no store; what one archive's upload raises is logged.
        """
        settings = self._platform.settings
        store = store_of(settings)
        if store is None:
            return 0
        async with self._platform.database.transaction() as session:
            waiting = await repository.below(session, str(landing_folder(settings)))
        done = 0
        for number, (backup, slug) in enumerate(waiting):
            self._note(len(waiting) - done)
            try:
                await self._upload(store, backup, slug)
            except ClawstackError as error:
                left = len(waiting) - number
                log.warning("backup_not_uploaded", backup=backup.location, error=error.code, why=str(error), left=left)
            else:
                done += 1
        self._note(len(waiting) - done)
        if not settings.backup_keep_local:
            await self._tidy(store)
        return done

    def _note(self, waiting: int) -> None:
        self.waiting = waiting
        self._metrics.waiting.set(waiting)

    async def _upload(self, store: BackupStore, backup: Backup, slug: str) -> None:
        path = Path(backup.location)
        beside = path.with_name(manifest_name(path.name))
        if not await asyncio.to_thread(lambda: path.is_file() and beside.is_file()):
            raise NotFoundError(f"The backup at {path} is not there any more.", code="backup_missing")
        key = f"{slug}/{path.name}"
        await store.put(key, path)
        if await digest(store, key) != backup.sha256:
            await store.delete(key)
            raise TemporaryError(
                f"{store.location(key)} is not what was uploaded.", code="backup_upload_damaged", retry_after=_LATER
            )
        await store.put(manifest_name(key), beside)
        async with self._platform.database.transaction() as session:
            moved = await repository.move(session, backup.id, old=backup.location, new=store.location(key))
            forgotten = not moved and await repository.by_location(session, backup.location) is None
        if forgotten:  # its owner had it deleted meanwhile
            await store.delete(key)
            await store.delete(manifest_name(key))
        if not moved:  # or another pass was faster
            return
        log.info("backup_uploaded", backup=store.location(key), bytes=backup.size)

    async def _tidy(self, store: BackupStore) -> None:
        """Remove copies of archives that are in the store, unless a tenant is about to be filled from one."""
        folder = landing_folder(self._platform.settings)
        copies = await asyncio.to_thread(lambda: list(_archives(folder)))
        if not copies:
            return
        async with self._platform.database.transaction() as session:
            awaited = await repository.awaited(session)
            kept = [await repository.by_location(session, str(path)) for path in copies]
        for path, found in zip(copies, kept, strict=True):
            if found is not None and store.key_of(found[0].location) is not None and path.name not in awaited:
                await asyncio.to_thread(_remove, path)


def _archives(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob(f"*/*{ARCHIVE_SUFFIX}") if not path.name.startswith("."))


def _remove(path: Path) -> None:
    path.with_name(manifest_name(path.name)).unlink(missing_ok=True)  # first: what is left then is no backup
    path.unlink(missing_ok=True)
