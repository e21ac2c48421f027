"""`clawstack tenants` and `operations` on a platform where nobody works yet."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import select, text

from clawstack.vocabulary import Desired
from services.business.tenants.desired import set_desired
from services.kit.database.base import utcnow
from services.tables.tenants import Operation, OperationEvent, Tenant

WORKER_ALIVE = text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
WORKER_GONE = text("DELETE FROM procrastinate_workers")


async def read(database, tenant) -> Tenant:
    async with database.transaction() as session:
        return (await session.scalars(select(Tenant).where(Tenant.id == tenant.id))).one()


def test_an_empty_list_says_how_tenants_come(cli):
    assert "No tenants" in cli.ok("tenants", "list", "--state", "failed")


def test_a_tenant_is_listed_and_shown(cli, tenant):
    (row,) = [row for row in cli.json("tenants", "list") if row["slug"] == tenant.slug]
    assert (row["state"], row["desired_state"], row["plan"]) == ("pending", "running", "family")
    shown = cli.ok("tenants", "show", tenant.slug)
    assert "No operation yet." in shown
    assert "pending" in shown


@pytest.mark.parametrize("verb", ["show", "destroy"])
def test_an_unknown_slug_is_told_with_the_command_that_lists_them(cli, verb):
    error = cli.refused("tenants", verb, "no[b]body")
    assert "There is no tenant 'no[b]body'." in error
    assert "`clawstack tenants list --all`" in error


@pytest.mark.parametrize("words", [("operations", "list"), ("backup", "list")], ids=" ".join)
def test_a_list_of_an_unknown_tenant_is_refused_and_not_empty(cli, words):
    assert "There is no tenant 'nobody'." in cli.refused(*words, "nobody")


async def test_without_a_worker_a_command_says_so_and_keeps_what_was_asked_for(cli, database, tenant):
    error = cli.refused("tenants", "suspend", tenant.slug)
    assert "No worker is running" in error
    assert "`clawstack serve`" in error
    assert (await read(database, tenant)).desired_state == "suspended"


def test_up_without_a_worker_says_so(cli, tenant):
    assert "No worker is running" in cli.refused("tenants", "up", tenant.slug)


def test_no_wait_records_and_leaves(cli, tenant):
    assert cli.json("tenants", "suspend", tenant.slug, "--no-wait") == {"slug": tenant.slug, "state": "pending"}


async def test_a_dry_run_changes_nothing(cli, database, tenant):
    before = await read(database, tenant)
    assert "a verified backup is made first" in cli.ok("tenants", "destroy", tenant.slug, "--dry-run")
    document = cli.json("tenants", "destroy", tenant.slug, "--dry-run", "--skip-backup")
    assert (document["would_destroy"]["slug"], document["backup"]) == (tenant.slug, False)
    after = await read(database, tenant)
    assert (after.desired_state, after.generation) == (before.desired_state, before.generation) == ("running", 1)


@pytest.mark.parametrize("answer", [None, "n\n"], ids=["closed", "no"])
async def test_destroy_asks_first_and_only_yes_is_yes(cli, database, tenant, answer):
    result = cli.run("tenants", "destroy", tenant.slug, answer=answer)
    assert result.returncode == 1
    assert "Destroy it?" in result.stdout
    assert f"error: {tenant.slug} was not destroyed" in result.stderr
    assert "--yes" in result.stderr
    assert "Traceback" not in result.stderr
    assert (await read(database, tenant)).desired_state == "running"


def test_under_json_the_question_leaves_standard_output_to_the_document(cli, tenant):
    result = cli.run("tenants", "destroy", tenant.slug, "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["error"]["code"] == "not_confirmed"


@pytest.mark.parametrize(("words", "answer"), [(["--yes"], None), ([], "y\n")], ids=["option", "answer"])
async def test_destroy_after_a_yes_is_wanted(cli, database, tenant, words, answer):
    cli.run("tenants", "destroy", tenant.slug, "--no-wait", *words, answer=answer)
    assert (await read(database, tenant)).desired_state == "absent"


async def test_a_tenant_that_is_leaving_cannot_be_resumed(cli, database, tenant):
    async with database.transaction() as session:
        await set_desired(session, tenant.id, state=Desired.ABSENT)
    assert "cannot be changed" in cli.refused("tenants", "resume", tenant.slug)


@pytest.mark.parametrize("verb", ["show", "cancel"])
def test_an_operation_that_is_none_is_refused(cli, verb):
    assert "There is no operation" in cli.refused("operations", verb, str(uuid.uuid4()))


def test_a_word_that_is_no_id_is_refused(cli):
    assert "'abc' is not an operation's id." in cli.refused("operations", "show", "abc")


async def test_an_operation_is_shown_with_its_events_and_cannot_be_cancelled_once_over(cli, database, tenant):
    async with database.transaction() as session:
        row = Operation(
            tenant_id=tenant.id, kind="provision", status="failed", generation=1, attempt=1, fence=1, worker="w",
            summary={}, finished_at=utcnow(), error_code="disk_full", error_message="No room in [/].",
            error_remedy="Make room.",
        )  # fmt: skip
        session.add(row)
        await session.flush()
        event = OperationEvent(operation_id=row.id, sequence=1, kind="started", message="begins [/b]", data={})
        session.add(event)
    shown = cli.ok("operations", "show", str(row.id))
    assert "begins [/b]" in shown
    assert "disk_full: No room in [/]. Make room." in shown
    assert [each["id"] for each in cli.json("operations", "list", tenant.slug)] == [str(row.id)]
    assert f"Operation {row.id} is over (failed)" in cli.refused("operations", "cancel", str(row.id))


async def test_an_old_failure_is_not_taken_for_the_end_of_a_new_try(cli, database, tenant):
    async with database.transaction() as session:
        row = await session.get(Tenant, tenant.id)
        row.state, row.state_reason, row.blocked_generation = "failed", "the old reason", 1
    async with database.transaction() as session:
        await session.execute(WORKER_ALIVE)
    try:
        error = cli.run("tenants", "up", tenant.slug, "--timeout", "1").stderr
    finally:
        async with database.transaction() as session:
            await session.execute(WORKER_GONE)
    assert "is still failed after 1 s" in error
    assert "the old reason" not in error
