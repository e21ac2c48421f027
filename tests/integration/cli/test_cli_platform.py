"""`clawstack db`, `token`, `admin`, `backup`, `doctor`, and how settings and a database that are wrong are told."""

from __future__ import annotations

import hashlib
import json
import socket

import pytest
from sqlalchemy import select

from services.tables.access import ApiToken


def test_the_database_is_at_the_revision_of_the_code(cli):
    assert cli.json("db", "status") == {"revision": "0001"}


async def test_a_token_is_shown_once_and_only_its_hash_is_kept(cli, database):
    made = cli.run("token", "create", "[b]ci[/b]", "--scope", "tenants:read", "--days", "3")
    text = made.stdout.strip()
    assert made.returncode == 0
    assert "not shown again" in made.stderr
    kind, key, secret = text.split("_")
    assert kind == "clawop"
    listed = cli.ok("token", "list", "--json")
    (row,) = [row for row in json.loads(listed) if row["key"] == key]
    assert (row["name"], row["scopes"]) == ("[b]ci[/b]", ["tenants:read"])
    assert secret not in listed
    async with database.transaction() as session:
        stored = (await session.scalars(select(ApiToken).where(ApiToken.key == key))).one()
    assert secret not in repr({column.name: getattr(stored, column.name) for column in ApiToken.__table__.columns})
    assert len(stored.secret_hash) == len(hashlib.sha256().hexdigest())
    assert stored.expires_at is not None


async def test_a_token_is_revoked_once_and_for_good(cli, database):
    async def revoked_at():
        async with database.transaction() as session:
            return (await session.get_one(ApiToken, key)).revoked_at

    key = cli.json("token", "create", "temporary")["token"].split("_")[1]
    assert "no longer opens anything" in cli.ok("token", "revoke", key)
    first = await revoked_at()
    assert first is not None
    cli.ok("token", "revoke", key)
    assert await revoked_at() == first


def test_an_unknown_token_and_an_unknown_scope_are_refused(cli):
    assert "`clawstack token list`" in cli.refused("token", "revoke", "nobody")
    error = cli.refused("token", "create", "x", "--scope", "everything")
    assert "everything" in error
    assert "tenants:read" in error


def test_there_are_no_backups_yet(cli):
    assert "No backups yet" in cli.ok("backup", "list")
    assert "There is no backup at nowhere" in cli.refused("backup", "open", "nowhere", str(cli.folder / "opened"))
    assert not (cli.folder / "opened").exists()


def test_the_overview_counts(cli):
    overview = cli.json("admin", "overview")
    assert set(overview) == {"tenants", "operations", "unsent_messages", "shortcomings"}


def test_prices_cannot_be_set_up_without_stripes_key(cli):
    assert "CLAWSTACK_STRIPE_API_KEY" in cli.refused("admin", "stripe-setup")


def test_the_doctor_reports_in_json_and_says_with_its_exit_code_whether_all_is_well(cli):
    result = cli.run("doctor", "--json")
    checks = json.loads(result.stdout)["checks"]
    assert {"Python", "Pulumi CLI", "Node", "OpenClaw"} <= {check["name"] for check in checks}
    assert all(check["remedy"] for check in checks if not check["ok"])
    assert result.returncode == (0 if all(check["ok"] for check in checks) else 1)


@pytest.mark.parametrize("words", [("tenants", "list"), ("serve",)], ids=" ".join)
def test_a_setting_that_is_none_is_named_with_the_nearest(cli, words):
    error = cli.refused(*words, CLAWSTACK_PROT="80")
    assert "CLAWSTACK_PROT is not a setting (did you mean CLAWSTACK_PORT?)" in error


def test_a_wrong_value_in_a_file_is_told(cli):
    dotenv = cli.folder / ".env"
    dotenv.write_text("CLAWSTACK_PORT=eighty\n")
    try:
        assert "CLAWSTACK_PORT" in cli.refused("tenants", "list")
        dotenv.write_bytes(b"CLAWSTACK_HOST=\xff\xfe\n")
        assert "The file .env in this folder is not UTF-8 text." in cli.refused("tenants", "list")
    finally:
        dotenv.unlink()


def test_a_database_that_does_not_answer_is_told_without_its_password(cli):
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"postgresql://claw:planted-password@127.0.0.1:{port}/claw"
        error = cli.refused("tenants", "list", CLAWSTACK_DATABASE_URL=url)
        assert f"The database at 127.0.0.1:{port}/claw cannot be used" in error
        assert "CLAWSTACK_DATABASE_URL" in error
        assert "planted-password" not in error


def test_a_url_that_is_none_is_told_without_its_words(cli):
    result = cli.run("tenants", "list", "--json", CLAWSTACK_DATABASE_URL="planted-password")
    assert json.loads(result.stdout)["error"]["code"] == "bad_settings"
    assert "planted-password" not in result.stdout + result.stderr


def test_a_data_folder_that_is_a_file_is_told(cli):
    file = cli.folder / "file"
    file.write_text("")
    assert "CLAWSTACK_DATA_DIR" in cli.refused("tenants", "list", CLAWSTACK_DATA_DIR=str(file))


def test_a_taken_port_is_told(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        error = cli.refused("serve", "--port", port)
    assert f"127.0.0.1:{port}" in error
    assert "CLAWSTACK_PORT" in error


def test_the_sandbox_tells_its_own_options(cli):
    assert "--stripe-webhook-url" in cli.ok("sandbox", "--help")


def test_the_doctor_too_tells_a_wrong_setting_in_one_line(cli):
    assert "allowed are all, registries, never" in cli.refused("doctor", CLAWSTACK_TOOLCHAIN_DOWNLOADS="some")
