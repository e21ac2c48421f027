"""An S3 server for this folder's tests, and tenants with archives."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.business.backups.service import register_backups
from services.tables.tenants import Tenant
from tenants.backups.archive import ArchiveManifest
from tenants.backups.stream import encrypt
from tests.waiting import patient

MADE = datetime(2026, 11, 21, 9, tzinfo=UTC)


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket."""

    port: int
    bucket: str = "archives"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{prefix}?endpoint={self.endpoint}"

    def fault(self, name: str) -> None:
        self.ask(f"/_fault/{name}")

    def ask(self, path: str) -> None:
        request = urllib.request.Request(self.endpoint + path, method="PUT", headers={"Content-Length": "0"})
        with urllib.request.urlopen(request, timeout=patient(20)) as answer:
            assert answer.status == 200


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server a session; every test takes a prefix of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.backups.s3_process"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[3]
    ) as child:
        try:
            assert child.stdout is not None
            server = S3Server(port=int(child.stdout.readline()))
            server.ask(f"/{server.bucket}")
            yield server
        finally:
            child.terminate()


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Server]:
    """The server, without faults before and after."""
    yield s3_server
    s3_server.fault("none")


def configured(platform: Any, **settings: Any) -> Any:
    """The same platform with other settings."""
    object.__setattr__(platform, "settings", platform.settings.model_copy(update=settings))
    return platform


@dataclass(frozen=True)
class Kept:
    """A tenant with one archive where cells leave theirs."""

    tenant_id: Any
    slug: str
    archive: Path

    @property
    def manifest(self) -> Path:
        return self.archive.with_name(self.archive.name.removesuffix(".tar.gz.enc") + ".json")

    @property
    def key(self) -> str:
        return f"{self.slug}/{self.archive.name}"


async def keep(platform: Any, slug: str, *, content: bytes = b"planted memory", number: int = 0) -> Kept:
    """Make a tenant with an archive, registered as an operation would do it."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    async with platform.database.transaction() as session:
        tenant = Tenant(
            slug=slug, plan="starter", bundle="general", bundle_version="1", substrate="process", answers={},
            desired_state="absent", deleted_at=MADE,
        )  # fmt: skip
        session.add(tenant)
        await session.flush()
        await platform.vault.put(session, tenant.id, "backup_key", key)
    folder = platform.settings.data_dir / "backups"
    archive = seal(folder, slug, key=key, content=content, made=MADE + timedelta(hours=number))
    async with platform.database.transaction() as session:
        assert await register_backups(session, tenant.id, slug=slug, folder=folder, reason="destroy") == 1
    return Kept(tenant.id, slug, archive)


def seal(folder: Path, slug: str, *, key: str, content: bytes, made: datetime) -> Path:
    """An archive with its manifest, in the form in which cells leave them."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as tar:
        info = tarfile.TarInfo("state/memory.txt")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    name = f"{made:%Y%m%dT%H%M%S}.000000Z"
    archive = folder / slug / f"{name}.tar.gz.enc"
    archive.parent.mkdir(parents=True, exist_ok=True)
    plain.seek(0)
    with archive.open("wb") as target:
        encrypt(plain, target, key=base64.b64decode(key), slug=slug)
    manifest = ArchiveManifest(
        slug=slug, archive=archive.name, sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        size=archive.stat().st_size, plain_sha256=hashlib.sha256(plain.getvalue()).hexdigest(),
        created_at=made.isoformat(), openclaw_version="2026.9.6", verified=True,
    )  # fmt: skip
    archive.with_name(f"{name}.json").write_text(json.dumps(asdict(manifest)))
    return archive
