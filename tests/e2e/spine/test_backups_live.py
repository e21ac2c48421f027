"""Backups of a real assistant: made while it runs, restored into a new tenant that knows what the old one knew."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def customer(pays):
    customer = pays("Ada", bundle="parenting")
    customer.await_state("healthy")
    customer.start_chat()
    return customer


def _chats(folder):
    """Everything that was said, as OpenClaw keeps it."""
    texts = [path.read_text(errors="replace") for path in (folder / "state").rglob("*.jsonl") if path.is_file()]
    return "\n".join(texts) + "".join(
        path.read_bytes().decode(errors="replace") for path in (folder / "state").rglob("*.sqlite*") if path.is_file()
    )


def test_a_running_assistant_is_backed_up_and_goes_on(world, customer):
    assert "Ada" in customer.parent.say("remember the word quetzalcoatl, and whose assistant are you?")
    before = customer.pid
    made = json.loads(world.run("backup", "create", customer.slug, "--json"))
    assert made["slug"] == customer.slug
    assert made["verified_at"]
    assert made["reason"] == "backup"
    assert customer.pid == before, "it went on running"
    assert "Ada" in customer.parent.say("hi")


def test_a_new_tenant_begins_with_what_the_old_one_knew(world, observer, customer):
    location = json.loads(world.run("backup", "list", customer.slug, "--json"))[0]["location"]
    made = json.loads(world.run("backup", "restore", location, "--json"))
    assert made["state"] == "healthy"
    assert made["slug"] != customer.slug
    assert "quetzalcoatl" in _chats(world.data / "cells" / made["slug"])
    assert customer.tenant["state"] == "healthy", "the old one is not touched"
    report = json.loads(world.run("tenants", "show", customer.slug, "--json"))
    assert report["gateway"] == "running"
    assert report["drift"] is None
    assert report["last_backup"]
    assert report["memory_mb"] > 100
    world.run("tenants", "destroy", made["slug"], "--yes", "--skip-backup", "--json")
    assert observer.tenant(made["slug"])["state"] == "deleted"


def test_the_log_of_a_gateway_is_shown_to_operators(world, customer):
    lines = world.run("tenants", "logs", customer.slug, "--lines", "50").splitlines()
    assert 5 < len(lines) <= 50
    tokens = [value for value in customer.environ().values() if value.startswith(("clawpx_", "clawch_"))]
    assert tokens
    assert not any(token in line for token in tokens for line in lines)
