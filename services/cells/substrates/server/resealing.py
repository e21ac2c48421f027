"""An archive of another cell becomes one that only this cell's machine opens. The plain text is never on the disk."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import threading
from contextlib import suppress
from typing import BinaryIO

from clawstack.errors import ClawstackError, NotFoundError, PermanentError
from services.cells.machines.places import waiting_restore
from tenants.backups.archive import Archive
from tenants.backups.stream import decrypt, encrypt
from tenants.spec import CellSpec


def reseal(archive: Archive, spec: CellSpec) -> None:
    """Put the archive, sealed anew, where the first machine of `spec` fetches it; blocks. Repeating it is fine.

    Raises NotFoundError for a missing file, PermanentError for one that was changed or does not open.
    """
    if not archive.path.is_file():
        raise NotFoundError(f"The backup {archive.manifest.archive} is not there.", code="backup_missing")
    target = waiting_restore(spec.directories.backups, spec.slug)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f".restore-{secrets.token_hex(6)}")
    try:
        with archive.path.open("rb") as source:
            if hashlib.file_digest(source, "sha256").hexdigest() != archive.manifest.sha256:
                raise PermanentError(f"The backup {archive.manifest.archive} was changed.", code="bad_backup")
            source.seek(0)
            _pass_through(source, draft, archive, spec)
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


def _pass_through(source: BinaryIO, draft: os.PathLike[str], archive: Archive, spec: CellSpec) -> None:
    """One thread opens, this one seals, with a pipe between them."""
    outlet, inlet = os.pipe()
    failed: list[ClawstackError] = []

    def unseal() -> None:
        with os.fdopen(inlet, "wb") as pipe, suppress(BrokenPipeError):
            try:
                decrypt(source, pipe, key=base64.b64decode(archive.key), slug=archive.slug)
            except ClawstackError as error:
                failed.append(error)

    opener = threading.Thread(target=unseal, name="unseal")
    with os.fdopen(outlet, "rb") as pipe:
        opener.start()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as sealed:
            encrypt(pipe, sealed, key=base64.b64decode(spec.backup_key.get_secret_value()), slug=spec.slug)
    opener.join()
    if failed:
        raise failed[0]
