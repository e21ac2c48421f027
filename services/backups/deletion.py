"""Deleting a backup because its owner asks for it: file, record, and with a deleted tenant's last one the key as well."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from clawstack.errors import NotFoundError
from services.backups.tables import Backup
from services.context import Platform
from services.provisioner.tables import Tenant

_ARCHIVE_SUFFIX: Final = ".tar.gz.enc"


async def delete_backup(platform: Platform, location: str) -> None:
    """Remove the backup for good; raises NotFoundError for an unknown location.

    The files go first: a crash in between leaves a record that can be deleted again, never a file that nobody knows.
    """
    async with platform.database.transaction() as session:
        query = select(Backup).where(Backup.location == location).with_for_update()
        backup = (await session.scalars(query)).one_or_none()
        if backup is None:
            raise NotFoundError(f"There is no backup at {location}.", remedy="`clawstack backup list` shows them.")
        await asyncio.to_thread(_remove_files, Path(location))
        await session.delete(backup)
        await session.flush()
        left = select(func.count()).select_from(Backup).where(Backup.tenant_id == backup.tenant_id)
        tenant = await session.get(Tenant, backup.tenant_id)
        if tenant is not None and tenant.deleted_at is not None and not (await session.execute(left)).scalar_one():
            await platform.vault.erase(session, tenant.id, "backup_key")


def _remove_files(archive: Path) -> None:
    archive.unlink(missing_ok=True)
    archive.with_name(archive.name.removesuffix(_ARCHIVE_SUFFIX) + ".json").unlink(missing_ok=True)
