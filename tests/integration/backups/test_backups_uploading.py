"""Archives on their way: landed, uploaded, proven, tidied, fetched back, deleted; with a store that fails in between."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import procrastinate
import pytest
from procrastinate.testing import InMemoryConnector
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlalchemy import select

from clawstack.errors import NeedsAttentionError, NotFoundError, PermanentError
from services.business.backups.deletion import delete_backup
from services.business.backups.opening import open_backup
from services.business.backups.service import find_archive, register_backups
from services.business.backups.stores.choosing import store_of
from services.business.backups.stores.protocol import BackupStore, digest
from services.business.backups.uploading import Uploader, UploadMetrics
from services.run.parts.backups import create_part
from services.tables.backups import Backup
from services.tables.tenants import Tenant
from tests.integration.backups.conftest import Kept, S3Server, configured, keep


@pytest.fixture(params=["s3", "directory"])
def stored(request: pytest.FixtureRequest, platform: Any, tmp_path: Path) -> Any:
    """The platform with a store for good."""
    if request.param == "directory":
        return configured(platform, backup_url=f"file://{tmp_path}/for-good")
    return on_s3(platform, request.getfixturevalue("s3"))


@pytest.fixture
def on_s3_store(platform: Any, s3: S3Server) -> Any:
    return on_s3(platform, s3)


def on_s3(platform: Any, s3: S3Server) -> Any:
    keys = {"backup_access_key": "planted", "backup_secret_key": SecretStr("planted-secret")}
    return configured(platform, backup_url=s3.url(secrets.token_hex(4)), **keys)


def uploader(platform: Any) -> Uploader:
    return Uploader(platform=platform, metrics=UploadMetrics(CollectorRegistry()))


def waiting(upload: Uploader) -> float:
    return upload._metrics.waiting._value.get()


def the_store(platform: Any) -> BackupStore:
    found = store_of(platform.settings)
    assert found is not None
    return found


async def locations(platform: Any) -> list[str]:
    async with platform.database.transaction() as session:
        return list(await session.scalars(select(Backup.location).order_by(Backup.created_at)))


async def keys_in(platform: Any) -> list[str]:
    return [found.key for found in await the_store(platform).files()]


def beside(kept: Kept) -> list[str]:
    return [kept.key.removesuffix(".tar.gz.enc") + ".json", kept.key]


async def test_an_archive_reaches_the_store_and_leaves_this_machine(stored: Any, tmp_path: Path) -> None:
    kept = await keep(stored, "anna")
    content = kept.archive.read_bytes()
    upload = uploader(stored)
    assert await upload.run() == 1
    assert waiting(upload) == 0
    store = the_store(stored)
    assert await locations(stored) == [store.location(kept.key)]
    assert await keys_in(stored) == beside(kept)
    assert b"".join([block async for block in store.read(kept.key)]) == content
    assert not kept.archive.exists()
    assert not kept.manifest.exists()
    assert await upload.run() == 0


async def test_it_opens_from_the_store_by_both_names(stored: Any, tmp_path: Path) -> None:
    kept = await keep(stored, "anna")
    await uploader(stored).run()
    [location] = await locations(stored)
    for number, name in enumerate((location, str(kept.archive))):
        target = await open_backup(stored, name, tmp_path / f"opened-{number}")
        assert (target / "state" / "memory.txt").read_text() == "planted memory"
    assert [path.name for path in kept.archive.parent.parent.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("part", ["", "/", "anna/", "/{name}", "{name}", "bob/{name}", "%/{name}", "x{slug}/{name}"])
async def test_a_piece_of_a_location_is_none(stored: Any, part: str) -> None:
    kept = await keep(stored, "anna")
    await uploader(stored).run()
    with pytest.raises(NotFoundError, match="There is no backup at"):
        await find_archive(stored, part.format(name=kept.archive.name, slug=kept.slug))


async def test_it_comes_back_to_be_restored_and_stays_while_it_is_awaited(stored: Any) -> None:
    kept = await keep(stored, "anna")
    async with stored.database.transaction() as session:
        (await session.scalars(select(Tenant))).one().restore_from = str(kept.archive)
    await uploader(stored).run()
    assert kept.archive.is_file()
    kept.archive.unlink()
    kept.manifest.unlink()
    archive = await find_archive(stored, str(kept.archive))
    assert archive.path == kept.archive
    assert archive.path.stat().st_mode & 0o777 == 0o600
    await uploader(stored).run()
    assert kept.archive.is_file()
    async with stored.database.transaction() as session:
        (await session.scalars(select(Tenant))).one().restore_from = None
    await uploader(stored).run()
    assert not kept.archive.exists()


async def test_deleting_removes_it_from_the_store_and_the_key_with_the_last_one(stored: Any) -> None:
    kept = await keep(stored, "anna")
    await uploader(stored).run()
    [location] = await locations(stored)
    await delete_backup(stored, location)
    assert await keys_in(stored) == []
    assert await locations(stored) == []
    async with stored.database.transaction() as session:
        assert await stored.vault.get(session, kept.tenant_id, "backup_key") is None


async def test_a_copy_may_be_kept_and_is_not_noted_twice(stored: Any) -> None:
    configured(stored, backup_keep_local=True)
    kept = await keep(stored, "anna")
    assert await uploader(stored).run() == 1
    assert kept.archive.is_file()
    async with stored.database.transaction() as session:
        folder = kept.archive.parent.parent
        assert await register_backups(session, kept.tenant_id, slug="anna", folder=folder, reason="backup") == 0
    assert len(await locations(stored)) == 1


async def test_without_a_store_archives_stay_where_they_landed(platform: Any) -> None:
    kept = await keep(platform, "anna")
    assert await uploader(platform).run() == 0
    configured(platform, backup_url=f"file://{platform.settings.data_dir}/backups")
    assert await uploader(platform).run() == 0
    assert kept.archive.is_file()
    assert await locations(platform) == [str(kept.archive)]


async def test_a_store_that_refuses_is_tried_again(on_s3_store: Any, s3: S3Server) -> None:
    kept = await keep(on_s3_store, "anna")
    s3.fault("deny")
    upload = uploader(on_s3_store)
    assert await upload.run() == 0
    assert waiting(upload) == 1
    assert kept.archive.is_file()
    assert await locations(on_s3_store) == [str(kept.archive)]
    s3.fault("none")
    assert await upload.run() == 1
    assert await keys_in(on_s3_store) == beside(kept)


async def test_what_arrives_damaged_is_not_believed(on_s3_store: Any, s3: S3Server) -> None:
    kept = await keep(on_s3_store, "anna", content=secrets.token_bytes(100_000))
    s3.fault("damage")
    assert await uploader(on_s3_store).run() == 0
    assert kept.archive.is_file()
    assert await locations(on_s3_store) == [str(kept.archive)]
    assert await keys_in(on_s3_store) == []
    s3.fault("none")
    assert await uploader(on_s3_store).run() == 1


async def test_one_that_is_lost_does_not_keep_the_others_waiting(stored: Any) -> None:
    lost, kept = await keep(stored, "anna"), await keep(stored, "bob", number=1)
    lost.archive.unlink()
    upload = uploader(stored)
    assert await upload.run() == 1
    assert waiting(upload) == 1
    assert await keys_in(stored) == beside(kept)


async def test_a_kill_between_upload_and_record_is_made_good(stored: Any) -> None:
    kept = await keep(stored, "anna")
    await the_store(stored).put(kept.key, kept.manifest)  # what a former pass left, and not even the right bytes
    assert await uploader(stored).run() == 1
    async with stored.database.transaction() as session:
        sha256 = (await session.scalars(select(Backup.sha256))).one()
    assert await digest(the_store(stored), kept.key) == sha256


async def test_an_archive_that_was_deleted_meanwhile_leaves_nothing(stored: Any, monkeypatch: Any) -> None:
    kept = await keep(stored, "anna")
    upload = uploader(stored)
    store = the_store(stored)
    put = type(store).put

    async def put_and_delete(self: Any, key: str, source: Path) -> None:
        await put(self, key, source)
        if key.endswith(".json"):
            await delete_backup(stored, str(kept.archive))

    monkeypatch.setattr(type(store), "put", put_and_delete)
    await upload.run()
    assert await keys_in(stored) == []
    assert await locations(stored) == []


async def test_two_passes_at_once_lose_nothing(stored: Any, monkeypatch: Any) -> None:
    kept = await keep(stored, "anna")
    store = the_store(stored)
    put = type(store).put
    overtaken: list[int] = []

    async def put_and_be_overtaken(self: Any, key: str, source: Path) -> None:
        await put(self, key, source)
        if key.endswith(".json") and not overtaken:
            overtaken.append(1)
            assert await uploader(stored).run() == 1

    configured(stored, backup_keep_local=True)
    monkeypatch.setattr(type(store), "put", put_and_be_overtaken)
    await uploader(stored).run()
    assert overtaken
    assert await keys_in(stored) == beside(kept)
    assert await locations(stored) == [store.location(kept.key)]


async def test_one_that_was_changed_in_the_store_is_refused(stored: Any, tmp_path: Path) -> None:
    kept = await keep(stored, "anna")
    await uploader(stored).run()
    [location] = await locations(stored)
    changed = tmp_path / "changed"
    changed.write_bytes(b"CLAWBAK1 something else")
    await the_store(stored).put(kept.key, changed)
    with pytest.raises(PermanentError, match="was changed"):
        await open_backup(stored, location, tmp_path / "opened")
    with pytest.raises(PermanentError, match="changed in the store"):
        await find_archive(stored, location)
    assert not kept.archive.exists()


async def test_one_that_is_gone_from_the_store_is_not_found(stored: Any, tmp_path: Path) -> None:
    kept = await keep(stored, "anna")
    await uploader(stored).run()
    await the_store(stored).delete(kept.key)
    with pytest.raises(NotFoundError, match="not there any more"):
        await open_backup(stored, (await locations(stored))[0], tmp_path / "opened")


async def test_a_store_that_is_not_configured_any_more_is_named(on_s3_store: Any, tmp_path: Path) -> None:
    await keep(on_s3_store, "anna")
    await uploader(on_s3_store).run()
    [location] = await locations(on_s3_store)
    configured(on_s3_store, backup_url=None)
    for work in (open_backup(on_s3_store, location, tmp_path / "x"), delete_backup(on_s3_store, location)):
        with pytest.raises(NeedsAttentionError, match="CLAWSTACK_BACKUP_URL names another place"):
            await work
    assert await locations(on_s3_store) == [location]


async def test_the_job_is_declared_and_does_it(stored: Any) -> None:
    kept = await keep(stored, "anna")
    part = create_part(stored)
    assert part.register_tasks is not None
    app = procrastinate.App(connector=InMemoryConnector())
    part.register_tasks(app)
    assert [entry.cron for entry in app.periodic_registry.periodic_tasks.values()] == ["* * * * *"]
    await app.tasks["backups.upload"](timestamp=0)
    assert await keys_in(stored) == beside(kept)


async def test_settings_that_name_no_store_stop_the_start(platform: Any) -> None:
    with pytest.raises(NeedsAttentionError, match="names no store"):
        create_part(configured(platform, backup_url="ftp://archives"))
