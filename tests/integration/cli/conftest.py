"""The real command as a process of its own, on a data folder and an embedded database that all these tests share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.business.tenants.desired import NewTenant, create_tenant
from services.kit.database.connection import Database
from services.kit.database.embedded import EmbeddedPostgres
from services.tables.tenants import Tenant
from tests.waiting import patient
from toolchain.ground.paths import cache_root

_SECONDS = 60


@dataclass(kw_only=True)
class Cli:
    """Runs `clawstack` in a folder of its own, so that no `.env` of the checkout is read."""

    data: Path
    folder: Path
    url: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "CLAWSTACK_CACHE_DIR") if name in os.environ}
        self.environment = {**kept, "CLAWSTACK_DATA_DIR": str(self.data), **self.environment}

    def run(self, *words: str, answer: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command's end; `answer` is typed in, None leaves standard input closed."""
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *words],
            input=answer,
            stdin=subprocess.DEVNULL if answer is None else None,
            capture_output=True,
            text=True,
            timeout=patient(_SECONDS),
            cwd=self.folder,
            env={**self.environment, **environment},
            check=False,
        )

    def ok(self, *words: str, **environment: str) -> str:
        """Standard output of a command that succeeds and has nothing to complain about."""
        result = self.run(*words, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def json(self, *words: str) -> Any:
        """The document of a command that succeeds."""
        return json.loads(self.ok(*words, "--json"))

    def refused(self, *words: str, answer: str | None = None, **environment: str) -> str:
        """The one line of a command that fails: exit code 1, no traceback, nothing on standard output."""
        result = self.run(*words, answer=answer, **environment)
        assert result.returncode == 1, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that the accounts of cells and database can pass."""
    folder = Path(tempfile.mkdtemp(prefix="claw-cli-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cli(folder: Path) -> Iterator[Cli]:
    """The command on a running embedded database: held here, so that commands need not start it each time."""
    data = folder / "data"
    data.mkdir(mode=0o711)
    server = EmbeddedPostgres(data_dir=data, cache_dir=cache_root())
    cli = Cli(data=data, folder=folder, url=server.start())
    try:
        cli.ok("db", "upgrade")
        yield cli
    finally:
        server.stop()


@pytest.fixture
async def database(cli: Cli) -> AsyncIterator[Database]:
    database = Database(cli.url)
    yield database
    await database.close()


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    """A tenant that waits for its first operation."""
    wanted = NewTenant(customer_id=None, plan="family", bundle="parenting", bundle_version="1", name_hint="Sam")
    async with database.transaction() as session:
        return await create_tenant(session, wanted)
