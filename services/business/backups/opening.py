"""Opening a backup for a person: checksum, decryption, unpacking. Nothing of a running cell is touched."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import secrets
import tarfile
from pathlib import Path

from clawstack.errors import ConflictError, NotFoundError, PermanentError
from clawstack.logs import get_logger
from services.business.backups.fetching import fetched
from services.business.backups.service import located
from services.kit.context import Platform
from tenants.backups.stream import decrypt

log = get_logger(__name__)


async def open_backup(platform: Platform, location: str, target: Path) -> Path:
    """Unpack the backup at `location` into the empty or new folder `target`; returns it.

    Raises NotFoundError for an unknown location or a missing file, ConflictError for a folder that is in use,
    PermanentError for an archive that was changed or that the tenant's key does not open, and what its store raises.
    """
    backup, slug, key = await located(platform, location)
    async with fetched(platform.settings, backup, slug) as path:
        await asyncio.to_thread(_open, path, target, key=base64.b64decode(key), slug=slug, sha256=backup.sha256)
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
    plain = target / f".{secrets.token_hex(8)}"  # a name that no member of the archive has
    try:
        with archive.open("rb") as source, plain.open("xb") as sink:
            decrypt(source, sink, key=key, slug=slug)
        skipped = _unpack(plain, target)
    finally:
        plain.unlink(missing_ok=True)
    if skipped:
        log.warning("backup_opened_in_part", slug=slug, skipped=skipped)


def _unpack(plain: Path, target: Path) -> int:
    """What may be unpacked of what a customer packed; how much was left out.

    Pipes, devices, links that lead out and paths too long for this machine are left out: they must not cost a person
    the rest. One member at a time, none remembered: there may be a million.
    """
    skipped = 0
    with tarfile.open(plain) as tar:
        for member in tar:
            try:
                tar.extract(member, target, filter="data")
            except (tarfile.FilterError, OSError) as error:
                if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
                    raise
                skipped += 1
            tar.members.clear()  # type: ignore[attr-defined]  # typeshed does not know the list
    return skipped
