"""`clawstack backup` with a store: where each archive lies, taking it there, opening it from there, deleting it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from clawstack.settings import Settings
from services.run.factory import build_platform
from tests.integration.backups.conftest import Kept, keep
from tests.integration.cli.conftest import Cli


@pytest.fixture
async def kept(cli: Cli) -> AsyncIterator[Kept]:
    """A deleted tenant with an archive that no store has yet."""
    settings = Settings(_env_file=None, data_dir=cli.data, database_url=SecretStr(cli.url))
    platform = build_platform(settings, database_url=cli.url)
    yield await keep(platform, f"kept-{secrets.token_hex(4)}")
    await platform.database.close()
    await platform.drivers.aclose()


def test_an_archive_is_taken_to_the_store_opened_and_deleted(cli: Cli, kept: Kept, tmp_path: Path) -> None:
    store = {"CLAWSTACK_BACKUP_URL": f"file://{tmp_path}/for-good"}
    assert [row["location"] for row in cli.json("backup", "list", kept.slug)] == [str(kept.archive)]
    assert "Taken to the store: 1. Nothing waits." in cli.ok("backup", "upload", **store)
    assert "Taken to the store: 0." in cli.ok("backup", "upload", **store)

    [row] = cli.json("backup", "list", kept.slug)
    assert row["location"] == f"{tmp_path}/for-good/{kept.key}"
    assert not kept.archive.exists()
    cli.ok("backup", "open", row["location"], str(tmp_path / "opened"), **store)
    assert (tmp_path / "opened" / "state" / "memory.txt").read_text() == "planted memory"

    cli.ok("backup", "delete", row["location"], "--yes", **store)
    assert cli.json("backup", "list", kept.slug) == []
    assert [path for path in (tmp_path / "for-good").rglob("*") if path.is_file()] == []


def test_a_store_that_cannot_be_used_is_told_and_nothing_is_lost(cli: Cli, kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    result = cli.run("backup", "upload", CLAWSTACK_BACKUP_URL=f"file://{tmp_path}/file/store")
    assert result.returncode == 1
    assert "1 archives still wait for the store" in result.stderr
    assert "cannot be used" in result.stderr
    assert kept.archive.is_file()
    assert "names no store" in cli.refused("backup", "upload", CLAWSTACK_BACKUP_URL="ftp://archives")
    cli.ok("backup", "delete", str(kept.archive), "--yes")
