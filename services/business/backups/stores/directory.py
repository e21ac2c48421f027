"""A folder as a store: another disk, or a network file system that is mounted."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from typing_extensions import override

from clawstack.errors import NeedsAttentionError, NotFoundError
from services.business.backups.stores.protocol import BLOCK, BackupStore, Stored

_DRAFT: Final = ".draft-"


class DirectoryStore(BackupStore):
    """Files below one folder, which only the platform may read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @override
    def location(self, key: str) -> str:
        return str(self._root / key)

    @override
    def key_of(self, location: str) -> str | None:
        path = Path(location)
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else None

    @override
    async def put(self, key: str, source: Path) -> None:
        try:
            await asyncio.to_thread(_copy, source, self._root / key)
        except OSError as error:
            raise self._unusable(error) from error

    @override
    async def read(self, key: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread((self._root / key).open, "rb")
        except FileNotFoundError:
            raise _missing(self.location(key)) from None
        except OSError as error:
            raise self._unusable(error) from error
        with file:
            while block := await asyncio.to_thread(file.read, BLOCK):
                yield block

    @override
    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread((self._root / key).unlink, missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    @override
    async def files(self, prefix: str = "") -> list[Stored]:
        return await asyncio.to_thread(self._files, prefix)

    def _files(self, prefix: str) -> list[Stored]:
        found = (path for path in (self._root / prefix).rglob("*") if path.is_file())
        kept = (path for path in found if not path.name.startswith(_DRAFT))
        return sorted(Stored(key=path.relative_to(self._root).as_posix(), size=path.stat().st_size) for path in kept)

    def _unusable(self, error: OSError) -> NeedsAttentionError:
        return NeedsAttentionError(
            f"The folder of backups {self._root} cannot be used: {error.strerror}.",
            code="backup_store_refused",
            remedy="Mount it, make room, or correct CLAWSTACK_BACKUP_URL; archives wait on this machine meanwhile.",
        )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(_DRAFT + secrets.token_hex(6))
    try:
        with source.open("rb") as file, _create(draft) as copy:
            shutil.copyfileobj(file, copy, BLOCK)
            copy.flush()
            os.fsync(copy.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _missing(location: str) -> NotFoundError:
    return NotFoundError(f"The backup at {location} is not there any more.", code="backup_missing")
