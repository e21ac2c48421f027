"""Notes the archives that cells leave behind, from the manifests beside them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NotFoundError, PermanentError
from services.business.backups import repository
from services.business.backups.fetching import bring_here
from services.kit.context import Platform
from services.tables.backups import Backup
from tenants.backups import archive
from tenants.backups.archive import Archive, ArchiveManifest


async def register_backups(session: AsyncSession, tenant_id: uuid.UUID, *, slug: str, folder: Path, reason: str) -> int:
    """Note every archive below `folder`/`slug` that has a manifest; returns how many are new. Safe to repeat."""
    found = await asyncio.to_thread(archive.manifests, folder, slug)
    return await repository.add(session, [_row(item, tenant_id, folder, reason) for item in found])


async def located(platform: Platform, location: str) -> tuple[Backup, str, str]:
    """The backup at a location, the slug of its tenant and the key that opens it, 32 bytes in base64.

    Raises NotFoundError when there is none, PermanentError when its key is gone.
    """
    async with platform.database.transaction() as session:
        found = await repository.by_location(session, location)
        if found is None:
            raise NotFoundError(f"There is no backup at {location}.", remedy="`clawstack backup list` shows them.")
        backup, slug = found
        key = await platform.vault.get(session, backup.tenant_id, "backup_key")
    if key is None:
        raise PermanentError(f"The key of {slug}'s backups is gone; they cannot be opened.", code="backup_key_gone")
    return backup, slug, key


async def find_archive(platform: Platform, location: str) -> Archive:
    """The backup at a location, on this machine and ready to be restored; from a store it is fetched first.

    Raises NotFoundError when there is none, PermanentError when its key is gone or it was changed, and what the store
    raises. Holds no transaction while it waits for a store.
    """
    backup, slug, key = await located(platform, location)
    path = await bring_here(platform.settings, backup, slug)
    for manifest in await asyncio.to_thread(archive.manifests, path.parent.parent, slug):
        if manifest.archive == path.name and manifest.sha256 == backup.sha256:
            return Archive(folder=path.parent.parent, manifest=manifest, key=key)
    raise NotFoundError(f"The backup at {location} is not there any more.", code="backup_missing")


def _row(manifest: ArchiveManifest, tenant_id: uuid.UUID, folder: Path, reason: str) -> dict[str, Any]:
    made = datetime.fromisoformat(manifest.created_at)
    return {
        "tenant_id": tenant_id,
        "location": str(folder / manifest.slug / manifest.archive),
        "sha256": manifest.sha256,
        "size": manifest.size,
        "reason": reason,
        "openclaw_version": manifest.openclaw_version or None,
        "created_at": made,
        # The manifest is written only after the archive was read back; it does not say when.
        "verified_at": made if manifest.verified else None,
    }
