"""Notes the archives that cells leave behind, from the manifests beside them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.backups import repository
from tenants.backups import archive
from tenants.backups.archive import Manifest

REASON_DESTROY: Final = "destroy"


async def register_backups(
    session: AsyncSession, tenant_id: uuid.UUID, *, slug: str, folder: Path, reason: str = REASON_DESTROY
) -> int:
    """Note every archive below `folder`/`slug` that has a manifest; returns how many are new. Safe to repeat."""
    found = await asyncio.to_thread(archive.manifests, folder, slug)
    return await repository.add(session, [_row(item, tenant_id, folder, reason) for item in found])


def _row(manifest: Manifest, tenant_id: uuid.UUID, folder: Path, reason: str) -> dict[str, Any]:
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
