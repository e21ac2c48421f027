"""Both stores keep the same promises; the S3 one against a real server."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from clawstack.errors import NeedsAttentionError, NotFoundError, TemporaryError
from clawstack.settings import Settings
from services.business.backups.stores.choosing import store_of
from services.business.backups.stores.protocol import BackupStore, Stored, digest
from tests.waiting import patient

BIG = 20 * 1024 * 1024 + 17
"""Three parts of an upload."""
KEYS = {"backup_access_key": "planted-access", "backup_secret_key": "planted-secret"}


def s3_settings(data_dir: Path, url: str) -> Settings:
    return Settings(_env_file=None, data_dir=data_dir, backup_url=url, **KEYS)


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BackupStore:
    prefix = secrets.token_hex(4)
    if request.param == "s3":
        found = store_of(s3_settings(tmp_path, request.getfixturevalue("s3").url(prefix)))
    else:
        settings = Settings(_env_file=None, data_dir=tmp_path / "data", backup_url=f"file://{tmp_path}/{prefix}")
        found = store_of(settings)
    assert found is not None
    return found


def file_of(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / secrets.token_hex(4)
    path.write_bytes(content)
    return path


async def content_of(store: BackupStore, key: str) -> bytes:
    return b"".join([block async for block in store.read(key)])


@pytest.mark.parametrize("size", [0, 1, BIG])
async def test_what_was_put_is_given_back(store: BackupStore, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    await store.put("anna/one.enc", file_of(tmp_path, content))
    assert await content_of(store, "anna/one.enc") == content
    assert await digest(store, "anna/one.enc") == hashlib.sha256(content).hexdigest()
    assert await store.files() == [Stored(key="anna/one.enc", size=size)]


async def test_putting_again_replaces_and_listing_knows_folders(store: BackupStore, tmp_path: Path) -> None:
    for key, content in (("anna/one", b"1"), ("anna/two", b"22"), ("anna-2/one", b"333"), ("anna/one", b"4444")):
        await store.put(key, file_of(tmp_path, content))
    assert [(found.key, found.size) for found in await store.files("anna")] == [("anna/one", 4), ("anna/two", 2)]
    assert len(await store.files()) == 3


async def test_deleting_is_for_good_and_can_be_repeated(store: BackupStore, tmp_path: Path) -> None:
    await store.put("anna/one", file_of(tmp_path, b"1"))
    await store.delete("anna/one")
    await store.delete("anna/one")
    assert await store.files() == []
    with pytest.raises(NotFoundError, match="anna/one is not there any more"):
        await content_of(store, "anna/one")


async def test_a_location_leads_back_to_its_key(store: BackupStore) -> None:
    assert store.key_of(store.location("anna/one")) == "anna/one"
    assert store.key_of("/elsewhere/anna/one") is None
    assert store.key_of("s3://other/anna/one") is None


async def test_a_server_that_is_away_is_a_temporary_error(tmp_path: Path) -> None:
    store = store_of(s3_settings(tmp_path, "s3://archives/x?endpoint=http://127.0.0.1:1"))
    assert store is not None
    with pytest.raises(TemporaryError, match="does not answer"):
        await store.put("anna/one", file_of(tmp_path, b"1"))


async def test_refused_credentials_need_a_person_and_are_not_told(tmp_path: Path, s3: object) -> None:
    store = store_of(s3_settings(tmp_path, s3.url("x")))  # type: ignore[attr-defined]
    s3.fault("deny")  # type: ignore[attr-defined]
    assert store is not None
    with pytest.raises(NeedsAttentionError, match="refuses these credentials") as caught:
        await store.put("anna/one", file_of(tmp_path, b"1"))
    assert "planted" not in f"{caught.value.sentence()} {caught.value.__cause__}"


async def test_a_folder_that_cannot_be_used_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = store_of(Settings(_env_file=None, data_dir=tmp_path, backup_url=f"file://{tmp_path}/file/x"))
    assert store is not None
    with pytest.raises(NeedsAttentionError, match="cannot be used"):
        await store.put("anna/one", file_of(tmp_path, b"1"))


MEMORY = """
import asyncio, resource, sys
from pathlib import Path
from clawstack.settings import Settings
from services.business.backups.stores.choosing import store_of
from services.business.backups.stores.protocol import digest

async def main(url, path):
    store = store_of(Settings(_env_file=None, backup_url=url, backup_access_key="a", backup_secret_key="b"))
    await store.put("small", Path(sys.executable))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await store.put("big", Path(path))
    await digest(store, "big")
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_memory_stays_bounded(tmp_path: Path, s3: object) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(160 * 1024 * 1024)
    url = s3.url(secrets.token_hex(4))  # type: ignore[attr-defined]
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY, url, str(big)], capture_output=True, text=True, check=False, timeout=patient(120)
    )
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) < 80
