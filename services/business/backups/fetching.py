"""Brings an archive from the store back to this machine: checked, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from clawstack.errors import NeedsAttentionError, NotFoundError, PermanentError
from clawstack.settings import Settings
from services.business.backups.stores.choosing import landing_folder, store_of
from services.business.backups.stores.protocol import BackupStore
from services.tables.backups import Backup

ARCHIVE_SUFFIX: Final = ".tar.gz.enc"


def manifest_name(archive: str) -> str:
    """The file beside an archive that makes it a backup."""
    return archive.removesuffix(ARCHIVE_SUFFIX) + ".json"


def local_path(settings: Settings, backup: Backup, slug: str) -> Path:
    """Where the archive landed, or is fetched to; it may not be there."""
    if backup.location.startswith("/") and not _in_store(settings, backup.location):
        return Path(backup.location)
    return landing_folder(settings) / slug / backup.location.rsplit("/", 1)[-1]


def require_store(settings: Settings, location: str) -> tuple[BackupStore, str]:
    """The store that a location lies in, and the key there.

    Raises NeedsAttentionError when the settings name another store, or none.
    """
    store = store_of(settings)
    key = None if store is None else store.key_of(location)
    if store is None or key is None:
        raise NeedsAttentionError(
            f"The backup lies at {location}, and CLAWSTACK_BACKUP_URL names another place.",
            code="backup_store_unknown",
            remedy="Set CLAWSTACK_BACKUP_URL and the keys of that store, then repeat.",
        )
    return store, key


async def bring_here(settings: Settings, backup: Backup, slug: str) -> Path:
    """The archive on this machine with its manifest beside it, fetched into the landing folder where it is not there.

    Raises NotFoundError, PermanentError when what the store gives is not what was put there, and what the store raises.
    """
    path = local_path(settings, backup, slug)
    beside = path.with_name(manifest_name(path.name))
    if path.is_file() and beside.is_file():
        return path
    if path == Path(backup.location):
        raise NotFoundError(f"The backup at {path} is not there any more.", code="backup_missing")
    store, key = require_store(settings, backup.location)
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
    await _fetch(store, key, path, sha256=backup.sha256)
    await _fetch(store, manifest_name(key), beside)  # last: an archive without one is not a backup
    return path


@asynccontextmanager
async def fetched(settings: Settings, backup: Backup, slug: str) -> AsyncIterator[Path]:
    """The archive on this machine for as long as the block lasts."""
    path = local_path(settings, backup, slug)
    if path.is_file() or path == Path(backup.location):
        yield path
        return
    store, key = require_store(settings, backup.location)
    with TemporaryDirectory(prefix=".fetched-", dir=landing_folder(settings)) as folder:
        copy = Path(folder) / path.name
        await _fetch(store, key, copy, sha256=backup.sha256)
        yield copy


async def _fetch(store: BackupStore, key: str, target: Path, *, sha256: str | None = None) -> None:
    draft = target.with_name(f".fetched-{secrets.token_hex(6)}")
    found = hashlib.sha256()
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async for block in store.read(key):
                found.update(block)
                await asyncio.to_thread(file.write, block)
        if sha256 is not None and found.hexdigest() != sha256:
            raise PermanentError(
                f"The backup at {store.location(key)} was changed in the store.",
                code="bad_backup",
                remedy="Use the archive before it, and find out who may write to the store.",
            )
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


def _in_store(settings: Settings, location: str) -> bool:
    store = store_of(settings)
    return store is not None and store.key_of(location) is not None
