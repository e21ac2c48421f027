"""Opening and deleting backups: what a person asks for, with the tenant's own key."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import select

from clawstack.errors import ConflictError, NotFoundError, PermanentError
from services.business.backups.deletion import delete_backup
from services.business.backups.opening import open_backup
from services.kit.database.base import utcnow
from services.tables.backups import Backup
from services.tables.tenants import Tenant
from tenants.backups.stream import encrypt


@pytest.fixture
async def kept(platform, data_dir):
    """A deleted tenant with one backup; returns its location."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    folder = data_dir / "backups" / "anna"
    folder.mkdir(parents=True)
    archive = folder / "20261121T090000.000000Z.tar.gz.enc"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as tar:
        info = tarfile.TarInfo("state/memory.txt")
        info.size = len(b"planted memory")
        tar.addfile(info, io.BytesIO(b"planted memory"))
        for kind, name in (
            (tarfile.FIFOTYPE, "state/pipe"),
            (tarfile.SYMTYPE, "state/out"),
            (tarfile.CHRTYPE, "state/null"),
        ):
            odd = tarfile.TarInfo(name)
            odd.type, odd.linkname = kind, "/etc"
            tar.addfile(odd)
        for number in range(3):
            tar.addfile(tarfile.TarInfo(f"state/after-{number}"))
    plain.seek(0)
    with archive.open("wb") as target:
        encrypt(plain, target, key=base64.b64decode(key), slug="anna")
    archive.with_name("20261121T090000.000000Z.json").write_text("{}")
    async with platform.database.transaction() as session:
        tenant = Tenant(
            slug="anna", plan="starter", bundle="general", bundle_version="1", substrate="process", answers={},
            desired_state="absent", deleted_at=utcnow(),
        )  # fmt: skip
        session.add(tenant)
        await session.flush()
        await platform.vault.put(session, tenant.id, "backup_key", key)
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        size = archive.stat().st_size
        session.add(Backup(tenant_id=tenant.id, location=str(archive), sha256=sha256, size=size, reason="destroy"))
    return archive


async def test_a_backup_opens_with_its_tenants_key(platform, kept, tmp_path):
    assert b"planted memory" not in kept.read_bytes()
    target = await open_backup(platform, str(kept), tmp_path / "opened")
    assert (target / "state" / "memory.txt").read_text() == "planted memory"
    assert target.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in target.iterdir()) == ["state"]
    unpacked = sorted(path.name for path in (target / "state").iterdir())
    assert unpacked == ["after-0", "after-1", "after-2", "memory.txt"], "a pipe or a link out costs nobody the rest"


async def test_a_folder_in_use_is_refused(platform, kept, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="not empty"):
        await open_backup(platform, str(kept), tmp_path)


async def test_a_changed_archive_is_refused(platform, kept, tmp_path):
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    with pytest.raises(PermanentError, match="was changed"):
        await open_backup(platform, str(kept), tmp_path / "opened")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    "work", [delete_backup, lambda platform, location: open_backup(platform, location, Path("/x"))]
)
async def test_an_unknown_location_is_refused(platform, kept, work):
    with pytest.raises(NotFoundError, match="no backup at /nowhere"):
        await work(platform, "/nowhere")
    assert kept.exists()


async def test_deleting_the_last_backup_of_a_deleted_tenant_takes_the_key_along(platform, kept):
    await delete_backup(platform, str(kept))
    assert list(kept.parent.iterdir()) == []
    async with platform.database.transaction() as session:
        assert (await session.scalars(select(Backup))).all() == []
        tenant = (await session.scalars(select(Tenant))).one()
        assert await platform.vault.get(session, tenant.id, "backup_key") is None


async def test_a_living_tenant_keeps_its_key(platform, kept):
    async with platform.database.transaction() as session:
        (await session.scalars(select(Tenant))).one().deleted_at = None
    await delete_backup(platform, str(kept))
    async with platform.database.transaction() as session:
        tenant = (await session.scalars(select(Tenant))).one()
        assert await platform.vault.get(session, tenant.id, "backup_key") is not None
