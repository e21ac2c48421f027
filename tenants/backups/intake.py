"""Takes in a plain archive that comes from elsewhere, piece by piece: sealed at once, nothing plain on this machine's disk."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Self

from clawstack.errors import PermanentError, TemporaryError
from tenants.backups.archive import ArchiveManifest
from tenants.backups.stream import CHUNK, Sealer, opened
from tenants.process.files import write_json

_SUFFIX: Final = ".tar.gz.enc"


class Intake:
    """One archive on its way. Used as a context; unless `finish` returned, nothing of it stays."""

    def __init__(self, folder: Path, *, slug: str, key: str, version: str) -> None:
        """`folder`: of all backups; `key`: 32 bytes in base64; `version`: of the OpenClaw that made the archive."""
        self._target = folder / slug
        self._slug = slug
        self._key = base64.b64decode(key)
        self._version = version
        self._now = datetime.now(UTC)
        self._name = f"{self._now:%Y%m%dT%H%M%S}.{self._now.microsecond:06d}Z"
        self._draft = self._target / f".{self._name}.{os.getpid()}"
        self._plain = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._sealer: Sealer | None = None

    def __enter__(self) -> Self:
        self._target.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
        self._sealer = Sealer(self._file, key=self._key, slug=self._slug)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._draft.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        """Seal the next piece."""
        if self._sealer is None:
            raise PermanentError("An intake is written to within its context only.")
        self._plain.update(data)
        return self._sealer.write(data)

    def finish(self, *, sha256: str) -> ArchiveManifest:
        """Close, compare with the sender's digest, open it again as a trial, record it; blocks.

        Raises TemporaryError when not everything arrived, PermanentError when it does not open again.
        """
        if self._sealer is None or self._file is None:
            raise PermanentError("An intake is finished within its context only.")
        self._sealer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._plain.hexdigest() != sha256:
            raise TemporaryError(
                f"The backup of {self._slug} did not arrive complete.",
                code="backup_incomplete",
                remedy="The operation is tried again; nothing was erased.",
            )
        manifest = self._manifest()
        self._try_opening()
        self._draft.rename(self._target / manifest.archive)
        write_json(self._target / f"{self._name}.json", asdict(manifest))
        return manifest

    def _manifest(self) -> ArchiveManifest:
        with self._draft.open("rb") as file:
            sealed = hashlib.file_digest(file, "sha256").hexdigest()
        return ArchiveManifest(
            slug=self._slug,
            archive=self._name + _SUFFIX,
            sha256=sealed,
            size=self._draft.stat().st_size,
            plain_sha256=self._plain.hexdigest(),
            created_at=self._now.isoformat(),
            openclaw_version=self._version,
            verified=True,
        )

    def _try_opening(self) -> None:
        again = hashlib.sha256()
        with self._draft.open("rb", buffering=CHUNK) as file:
            for chunk in opened(file, key=self._key, slug=self._slug):
                again.update(chunk)
        if again.digest() != self._plain.digest():
            raise PermanentError(f"The backup of {self._slug} does not open as it was written.", code="bad_backup")
