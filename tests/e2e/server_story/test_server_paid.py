"""A paid checkout for a plan on servers: ordered at Hetzner, booted from the real user data, cancelled without a trace."""

from __future__ import annotations

import json

from clawstack.naming import server_name

KINDS = {"servers", "volumes", "firewalls"}


def objects(hetzner):
    return {kind: entries for kind, entries in hetzner.objects().items() if kind in KINDS | {"images", "primary_ips"}}


def test_a_full_project_is_told_to_the_operator_and_then_gone_on_with(place, machines, signs_up):
    world, hetzner = place
    hetzner.tell("quotas", {"quotas": {"servers": 0}})
    customer = signs_up("Ida", plan="business")
    stuck = customer.await_state("needs_attention")
    assert "limit" in stuck["state_reason"].lower(), stuck["state_reason"]
    hetzner.tell("quotas", {"quotas": {"servers": 10}})
    world.run("tenants", "up", customer.slug, "--no-wait", "--json")
    name = server_name(customer.slug)
    world.await_(lambda: machines.user_data(name), "the server", seconds=60)
    machines.boot(name)
    healthy = customer.await_state("healthy")
    assert healthy["substrate"] == "server"
    assert hetzner.names("servers") == [name]

    everything = json.dumps(hetzner.tell("requests?after=0", method="GET"))
    assert name in everything
    for shape in ("clawpx_", "clawch_", *world.planted_secrets().values()):
        assert shape not in everything

    report = json.loads(world.run("tenants", "show", customer.slug, "--json"))
    assert report["gateway"] == "running"
    assert name in report["runs_on"]

    customer.cancel()
    customer.await_state("deleted", seconds=240)
    assert objects(hetzner) == {}
    backups = json.loads(world.run("backup", "list", customer.slug, "--json"))
    assert [backup["reason"] for backup in backups if backup["verified_at"]]
