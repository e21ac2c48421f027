"""Archives that come from elsewhere piece by piece."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from pathlib import Path

import pytest

from clawstack.errors import PermanentError, TemporaryError
from tenants.backups.intake import Intake
from tenants.backups.stream import CHUNK, Opened, Sealer, decrypt

KEY = base64.b64encode(bytes(range(32))).decode()
RAW_KEY = base64.b64decode(KEY)


def receive(folder: Path, content: bytes, *, piece: int = 100_000, sha256: str | None = None) -> str:
    with Intake(folder, slug="anna", key=KEY, version="2026.9.6") as intake:
        for start in range(0, len(content), piece):
            intake.write(content[start : start + piece])
        return intake.finish(sha256=sha256 or hashlib.sha256(content).hexdigest()).archive


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_arrives_in_pieces_opens_as_a_whole(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)

    sealed = (tmp_path / "anna" / receive(tmp_path, content)).read_bytes()

    plain = io.BytesIO()
    decrypt(io.BytesIO(sealed), plain, key=RAW_KEY, slug="anna")
    assert plain.getvalue() == content
    assert (len(content) < 16) or content[:16] not in sealed


def test_an_archive_that_was_cut_off_on_the_way_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match="did not arrive complete"):
        receive(tmp_path, b"half", sha256=hashlib.sha256(b"half and half").hexdigest())

    assert list((tmp_path / "anna").iterdir()) == []


def test_an_archive_that_broke_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), Intake(tmp_path, slug="anna", key=KEY, version="1.0.0") as intake:  # noqa: PT012
        intake.write(b"x" * 3_000_000)
        raise ConnectionError

    assert list((tmp_path / "anna").iterdir()) == []


def test_only_the_platform_may_read_what_was_received(tmp_path: Path) -> None:
    archive = tmp_path / "anna" / receive(tmp_path, b"secret")

    assert archive.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("piece", [1, 1000, 128 * 1024, 5 * CHUNK])
def test_a_sealed_archive_reads_like_a_file(piece: int) -> None:
    content, sealed = os.urandom(CHUNK + 12_345), io.BytesIO()
    sealer = Sealer(sealed, key=RAW_KEY, slug="anna")
    sealer.write(content)
    sealer.close()
    sealed.seek(0)
    size = piece if piece > 1 else 1_000_000

    reader = io.BufferedReader(Opened(sealed, key=RAW_KEY, slug="anna"), max(piece, 1))

    assert b"".join(iter(lambda: reader.read(size), b"")) == content


def test_a_sealed_archive_without_its_end_does_not_read() -> None:
    sealed = io.BytesIO()
    sealer = Sealer(sealed, key=RAW_KEY, slug="anna")
    sealer.write(bytes(3 * CHUNK))  # and never closed
    sealed.seek(0)

    with pytest.raises(PermanentError):
        io.BufferedReader(Opened(sealed, key=RAW_KEY, slug="anna")).read()
