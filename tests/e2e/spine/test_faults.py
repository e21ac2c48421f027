"""Everything may be killed at any instant: the tenant converges, one gateway, nothing orphaned, no message lost."""

from __future__ import annotations

import hashlib
import os
import signal

import psutil
import pytest

from services.cli.demonstration.observe import process_lives
from services.cli.demonstration.world import processes_below


def _gateways(customer):
    """Processes of the cell that listen on its port."""
    port = int(customer.observed["endpoint"].rsplit(":", 1)[1])
    return {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }


def _operations(observer, slug):
    return observer.get("/v1/operations", tenant=slug)["items"]


def test_a_killed_gateway_starts_again_and_answers(two, world):
    customer = two[0]
    [before] = _gateways(customer)
    os.kill(before, signal.SIGKILL)
    world.await_(lambda: _gateways(customer) - {before}, "another gateway", seconds=60)
    assert "Emma" in customer.parent.say("are you back?")
    assert len(_gateways(customer)) == 1
    assert not process_lives(before)


def test_a_killed_database_costs_no_message(two, world, observer):
    customer = two[1]
    postmaster = int((world.data / "postgres" / "data-18" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    customer.parent.write("sent while the database was dead")
    assert "sent while the database was dead" in customer.parent.next_message(seconds=60)
    assert customer.await_state("healthy", seconds=60)
    assert int((world.data / "postgres" / "data-18" / "postmaster.pid").read_text().split()[0]) != postmaster


@pytest.mark.long
def test_a_platform_killed_during_up_and_during_destroy(pays, world, observer):
    customer = pays("Mia")
    world.await_(lambda: _resources_begun(observer, customer.slug), "pulumi to work", seconds=60)
    world.kill("platform")
    world.start_platform()
    customer.await_state("healthy")
    assert len(_gateways(customer)) == 1
    statuses = [item["status"] for item in _operations(observer, customer.slug)]
    assert statuses.count("succeeded") == 1
    assert set(statuses) <= {"succeeded", "interrupted"}
    customer.start_chat()
    assert "Mia" in customer.parent.say("hi")
    _killed_during_destroy(customer, world, observer)


def _killed_during_destroy(customer, world, observer):
    pid, folder = customer.pid, customer.folder
    world.run("tenants", "destroy", customer.slug, "--yes", "--no-wait")
    world.await_(lambda: _running(observer, customer.slug, "destroy"), "the destroy to run", seconds=60)
    world.kill("platform")
    world.start_platform()
    customer.await_state("deleted")
    assert not process_lives(pid)
    assert not folder.exists()
    assert processes_below(folder) == []
    [backup, *_] = observer.get(f"/v1/tenants/{customer.slug}/backups")["items"]
    assert customer.tenant["answers"] == {}, "what a family told goes with the cell"
    archive = world.data / "backups" / customer.slug / backup["name"]
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == backup["sha256"]
    assert not list((world.data / "state" / customer.slug).rglob("locks/**/*.json"))


def _resources_begun(observer, slug):
    events = observer.get(f"/v1/tenants/{slug}/events")
    return [event for event in events if event["kind"] == "resource"]


def _running(observer, slug, kind):
    return [item for item in _operations(observer, slug) if item["kind"] == kind and item["status"] == "running"]


def test_a_message_to_a_suspended_assistant_is_answered_once_it_is_back(two, world, observer):
    customer = two[0]
    observer.post(f"/v1/tenants/{customer.slug}/suspend")
    customer.await_state("suspended", seconds=90)
    assert _listening(customer) == set()
    assert "paused" in customer.parent.say("sent while you slept")
    observer.post(f"/v1/tenants/{customer.slug}/resume")
    customer.await_state("healthy")
    assert customer.parent.await_text("sent while you slept")
    again = world.run("tenants", "show", customer.slug, "--json")
    assert '"healthy"' in again


def _listening(customer):
    observed = customer.observed
    return _gateways(customer) if observed.get("endpoint") else set()
