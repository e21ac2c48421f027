"""Deleting a backup because its owner asks for it: file, record, and with a deleted tenant's last one the key as well."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NotFoundError
from services.business.backups import repository
from services.business.backups.fetching import local_path, manifest_name, require_store
from services.kit.context import Platform
from services.tables.backups import Backup


async def delete_backup(platform: Platform, location: str) -> None:
    """Remove the backup for good, from the store and from this machine; raises NotFoundError for an unknown location.

    The files go first: a crash in between leaves a record that can be deleted again, never a file that nobody knows.
    Raises what the store raises, and then nothing is forgotten.
    """
    async with platform.database.transaction() as session:
        backup, slug = await _found(session, location)
    await _remove_files(platform, backup, slug)
    async with platform.database.transaction() as session:
        current, _ = await _found(session, location)
        if current.location != backup.location:  # it was uploaded in between
            await _remove_files(platform, current, slug)
        if await repository.forget(session, current):
            await platform.vault.erase(session, current.tenant_id, "backup_key")


async def _found(session: AsyncSession, location: str) -> tuple[Backup, str]:
    found = await repository.by_location(session, location)
    if found is None:
        raise NotFoundError(f"There is no backup at {location}.", remedy="`clawstack backup list` shows them.")
    return found


async def _remove_files(platform: Platform, backup: Backup, slug: str) -> None:
    here = local_path(platform.settings, backup, slug)
    if Path(backup.location) != here:
        store, key = require_store(platform.settings, backup.location)
        await store.delete(key)
        await store.delete(manifest_name(key))
    await asyncio.to_thread(_unlink, here)


def _unlink(archive: Path) -> None:
    archive.unlink(missing_ok=True)
    archive.with_name(manifest_name(archive.name)).unlink(missing_ok=True)
