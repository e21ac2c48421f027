"""Takes an archive from a machine: streamed to disk, bounded, opened once to check it, then noted as a backup."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clawstack.errors import InvalidInputError, PayloadTooLargeError, PermanentError, TemporaryError
from services.business.backups.service import register_backups
from services.cells.machines import repository
from services.cells.machines.schemas import Upload
from services.kit.context import Platform
from services.kit.database.base import utcnow
from services.tables.machines import ServerBoot
from tenants.backups.archive import ArchiveManifest, HashingWriter
from tenants.backups.stream import decrypt
from tenants.process.files import write_json

_SUFFIX: Final = ".tar.gz.enc"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,39}")
_SPARE_BYTES: Final = 1024 * 1024 * 1024
"""What an upload leaves free on the platform's disk."""
REASON: Final = "machine"


class ArchiveIntake:
    """One archive after the other, each below `folder`/<slug> with a manifest beside it (format: `tenants.backups`)."""

    def __init__(self, *, platform: Platform, folder: Path, max_bytes: int) -> None:
        self._platform = platform
        self._folder = folder
        self._max_bytes = max_bytes

    async def receive(self, boot: ServerBoot, upload: Upload, body: AsyncIterator[bytes]) -> ArchiveManifest:
        """The manifest of the archive, once it is complete, opened with the tenant's key and noted.

        Raises InvalidInputError for one that is not what the machine says, PayloadTooLargeError, TemporaryError when
        the disk is nearly full; none of these leaves anything behind.
        """
        _check(upload)
        async with self._platform.database.transaction() as session:
            key = await self._platform.vault.get(session, boot.tenant_id, "backup_key")
        if key is None:
            raise InvalidInputError(f"{boot.slug} has no backup key.", code="backup_key_gone")
        target = self._folder / boot.slug
        await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True, mode=0o700)
        draft = target / f".upload-{secrets.token_hex(6)}"
        try:
            size = await self._store(draft, body)
            manifest = await asyncio.to_thread(_keep, draft, target, boot.slug, upload, base64.b64decode(key), size)
        finally:
            await asyncio.to_thread(draft.unlink, missing_ok=True)
        async with self._platform.database.transaction() as session:
            await register_backups(session, boot.tenant_id, slug=boot.slug, folder=self._folder, reason=REASON)
            await repository.set_cell(session, boot.slug, backed_up_at=utcnow())
        return manifest

    async def _store(self, draft: Path, body: AsyncIterator[bytes]) -> int:
        if shutil.disk_usage(draft.parent).free < _SPARE_BYTES:
            raise TemporaryError("There is no room for backups.", code="disk_full", retry_after=60)
        size = 0
        file = await asyncio.to_thread(_create, draft)
        try:
            async for chunk in body:
                size += len(chunk)
                if size > self._max_bytes:
                    raise PayloadTooLargeError(f"An archive may have {self._max_bytes} bytes.")
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(_sync, file)
        finally:
            await asyncio.to_thread(file.close)
        return size


def _check(upload: Upload) -> None:
    if not _SHA256.fullmatch(upload.sha256) or not _SHA256.fullmatch(upload.plain_sha256):
        raise InvalidInputError("X-Sha256 and X-Plain-Sha256 are 64 hexadecimal digits each.")
    if not _VERSION.fullmatch(upload.openclaw_version):
        raise InvalidInputError("X-Openclaw-Version is not a version.")


def _keep(draft: Path, target: Path, slug: str, upload: Upload, key: bytes, size: int) -> ArchiveManifest:
    with draft.open("rb") as file:
        sealed = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        plain = HashingWriter()
        try:
            decrypt(file, plain, key=key, slug=slug)
        except PermanentError as error:  # the sender's mistake, not the platform's
            raise InvalidInputError(error.message, code=error.code) from None
    if sealed != upload.sha256 or plain.hexdigest() != upload.plain_sha256:
        raise InvalidInputError("The archive is not the one that was announced.", code="bad_backup")
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}Z"
    manifest = ArchiveManifest(
        slug=slug,
        archive=name + _SUFFIX,
        sha256=sealed,
        size=size,
        plain_sha256=upload.plain_sha256,
        created_at=now.isoformat(),
        openclaw_version=upload.openclaw_version,
        verified=True,
    )
    draft.rename(target / manifest.archive)
    write_json(target / f"{name}.json", asdict(manifest))
    return manifest


def _create(path: Path) -> io.FileIO:
    return io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _sync(file: io.FileIO) -> None:
    os.fsync(file.fileno())
