"""Opening a backup for a person: checksum, decryption, unpacking. Nothing of a running cell is touched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import tarfile
from pathlib import Path

from sqlalchemy import select

from clawstack.errors import ConflictError, NotFoundError, PermanentError
from services.backups.tables import Backup
from services.context import Platform
from services.provisioner.tables import Tenant
from tenants.backups.stream import decrypt


async def open_backup(platform: Platform, location: str, target: Path) -> Path:
    """Unpack the backup at `location` into the empty or new folder `target`; returns it.

    Raises NotFoundError for an unknown location or a missing file, ConflictError for a folder that is in use,
    PermanentError for an archive that was changed or that the tenant's key does not open.
    """
    async with platform.database.transaction() as session:
        query = (
            select(Backup, Tenant.slug).join(Tenant, Tenant.id == Backup.tenant_id).where(Backup.location == location)
        )
        found = (await session.execute(query)).one_or_none()
        if found is None:
            raise NotFoundError(f"There is no backup at {location}.", remedy="`clawstack backup list` shows them.")
        backup, slug = found
        key = await platform.vault.get(session, backup.tenant_id, "backup_key")
    if key is None:
        raise PermanentError(f"The key of {slug}'s backups is gone; they cannot be opened.", code="backup_key_gone")
    await asyncio.to_thread(_open, Path(location), target, key=base64.b64decode(key), slug=slug, sha256=backup.sha256)
    return target


def _open(archive: Path, target: Path, *, key: bytes, slug: str, sha256: str) -> None:
    if target.exists() and any(target.iterdir()):
        raise ConflictError(f"{target} is not empty.", remedy="Name a new folder.")
    if not archive.is_file():
        raise NotFoundError(f"The file {archive} is not there.", code="backup_missing")
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise PermanentError(f"The backup {archive.name} of {slug} was changed.", code="bad_backup")
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    plain = target / ".archive.tar.gz"
    try:
        with archive.open("rb") as source, plain.open("xb") as sink:
            decrypt(source, sink, key=key, slug=slug)
        with tarfile.open(plain) as tar:
            tar.extractall(target, filter="data")
    finally:
        plain.unlink(missing_ok=True)
