"""State of cells in a real PostgreSQL, by the real engine, as a user whose password must be encoded and is changed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from clawstack.errors import ClawstackError
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.cells.provisioner.cells import backend_url
from services.kit.database.connection import Database, libpq_url
from tests.integration.provisioner.rig import Probe
from tests.integration.provisioner.test_provisioner_engine import SLUG, Bench

FIRST, SECOND = "pla/nted%w#rd?1@:", "pla/nted%w#rd?2@:"


@pytest.fixture
def user(server_url: str) -> Iterator[str]:
    """A user that this server asks for a password; it trusts all others. Set up before the database, gone after it."""
    name = f"state_{secrets.token_hex(4)}"
    with psycopg.connect(libpq_url(server_url), autocommit=True) as server:
        [(file,)] = server.execute("SHOW hba_file").fetchall()
        rules = Path(file)
        before = rules.read_text()
        rules.write_text(f"local all {name} scram-sha-256\n{before}")
        server.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(sql.Identifier(name), FIRST))
        server.execute("SELECT pg_reload_conf()")
        yield name
        rules.write_text(before)
        server.execute("SELECT pg_reload_conf()")
        server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def places(postgres_url: str, user: str, password: str) -> dict[str, str]:
    """The same place, with the password before the host and in the query."""
    server, encoded = make_url(postgres_url), quote(password, safe="")
    where = f"/{server.database}?host={quote(str(server.query['host']), safe='')}&sslmode=disable"
    return {
        "before the host": f"postgresql://{user}:{encoded}@{where}",
        "in the query": f"postgresql://{where}&user={user}&password={encoded}",
    }


@pytest.mark.parametrize("form", ["before the host", "in the query"])
async def test_a_cell_lives_on_when_the_password_of_its_state_is_changed(
    data_dir: Path, probe: Probe, server_url: str, user: str, postgres_url: str, form: str
) -> None:
    bench = Bench(data_dir, probe)

    def set_to(password: str) -> Settings:
        url = places(postgres_url, user, password)[form]
        settings = Settings(_env_file=None, data_dir=data_dir, pulumi_backend_url=url, database_url=url)
        bench.place = replace(bench.place, backend_url=backend_url(settings, SLUG))
        return settings

    settings = set_to(FIRST)
    database = Database(settings.database_url.get_secret_value())
    await database.ping()
    await database.close()
    assert bench.up() == {"endpoint": f"probe://{SLUG}"}
    bench.place = replace(bench.place, exists=True)

    with psycopg.connect(libpq_url(server_url), autocommit=True) as server:
        server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), SECOND))
    with pytest.raises(ClawstackError) as refused:
        bench.up("again")
    assert "password authentication failed" in refused.value.message
    redactor = Redactor()
    redactor.register(*settings.secret_values())
    told = redactor.text(refused.value.sentence())
    assert not [word for word in (FIRST, quote(FIRST, safe=""), "nted") if word in told], told

    set_to(SECOND)
    assert bench.up("again") == {"endpoint": f"probe://{SLUG}"}
    bench.destroy()
    assert probe.cell(SLUG) is None
