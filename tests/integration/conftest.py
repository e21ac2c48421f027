"""Real PostgreSQL for integration tests: one embedded server a session, one fresh, migrated database a test."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from clawstack.crypto import MasterKey
from clawstack.plans import load_catalogue
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.cells.substrates.registry import Drivers
from services.kit.database.connection import Database, libpq_url
from services.kit.vault.service import Vault
from services.run.context import ProcessPlatform
from services.tables import migrate
from tests.embedded_server import running_postgres

_TEMPLATE = "clawstack_template"
#: Nobody needs these databases after a crash of the machine, and waiting for the disk is most of what making one takes.
_FORGETFUL = ("fsync", "synchronous_commit", "full_page_writes")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of this session's server, with a migrated template database on it."""
    with running_postgres() as server:
        with psycopg.connect(libpq_url(server.url), autocommit=True) as connection:
            for setting in _FORGETFUL:
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        migrate.upgrade(_on(server.url, _TEMPLATE))
        yield server.url


@pytest.fixture
def postgres_url(server_url: str) -> Iterator[str]:
    """URL of an empty, migrated database of this test alone."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield _on(server_url, name)
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """The platform's own connection to it."""
    database = Database(postgres_url)
    yield database
    await database.close()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that cells' accounts can reach (pytest's own tmp_path is closed to them)."""
    folder = Path(tempfile.mkdtemp(prefix="claw-data-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def master_key() -> MasterKey:
    return MasterKey(secrets.token_bytes(32))


@pytest.fixture
def platform(database: Database, postgres_url: str, data_dir: Path, master_key: MasterKey) -> ProcessPlatform:
    """What every noun gets from the factory, on this test's database and data folder."""
    redactor = Redactor()
    settings = Settings(_env_file=None, data_dir=data_dir, database_url=postgres_url)
    return ProcessPlatform(
        settings=settings,
        catalogue=load_catalogue(),
        database=database,
        redactor=redactor,
        master_key=master_key,
        vault=Vault(master_key=master_key, redactor=redactor),
        drivers=Drivers(settings, database),
    )


def _on(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
