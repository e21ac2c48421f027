"""The Pulumi resources of a server cell, declared against a mocked engine: what it is asked, word by word."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks as pulumi_mocks
from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import Secret, reveal, to_python
from clawstack.settings import Settings
from services.cells.substrates.installation import installation_of
from tenants.program import cell_program
from tenants.server.component import ServerBuilder
from tenants.spec import CellSpec
from tenants.substrates.registry import builder_of
from tests.mock_engine import run_program
from tests.unit.server.builders import BOOT_TOKEN, PLANTED_API_TOKEN, TODAY, cell, make_settings, plan_of
from tests.unit.tenants.builders import PLANTED, make_spec

SLUG = "emma-parent-x7k2mq"
DNS = {"name": "cells.example.org"}


class Hetzner(pulumi_mocks.Mocks):
    """Every resource becomes what it was asked to be, with a number for an id."""

    @override
    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        number = str(4000 + len(args.name))
        return number, {**args.inputs, "ipv4Address": "198.51.100.7", "ipv6Address": "2001:db8::1"}

    @override
    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"no function is needed: {args.token}")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The requests that the engine got, by name of the resource."""
    seen: dict[str, Any] = {}
    register: Any = pulumi_mocks.MockMonitor.RegisterResource

    def remember(self: pulumi_mocks.MockMonitor, request: Any) -> Any:
        assert request.name not in seen, "nothing twice"
        seen[request.name] = request
        return register(self, request)

    monkeypatch.setattr(pulumi_mocks.MockMonitor, "RegisterResource", remember)
    return seen


def declare(
    monkeypatch: pytest.MonkeyPatch, spec: CellSpec | None = None, **settings: Any
) -> tuple[list[str], dict[str, Any]]:
    """URNs and stack outputs."""
    exported: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    program = cell_program(spec or cell(), ServerBuilder(make_settings(**settings)))

    async def to_its_end() -> None:
        program()
        for name, value in exported.items():
            exported[name] = await value.future() if isinstance(value, pulumi.Output) else value

    urns = run_program(to_its_end, Hetzner(), project="clawstack-cells", stack=SLUG)
    return urns, exported


def inputs(requests: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(reveal(to_python(requests[f"{SLUG}-{name}"].object)))


def test_a_cell_is_volume_firewall_server_and_attachment_below_one_component(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    urns, exported = declare(monkeypatch)
    assert {name: request.type for name, request in requests.items() if request.type.startswith("hcloud:")} == {
        f"{SLUG}-state": "hcloud:index/volume:Volume",
        f"{SLUG}-firewall": "hcloud:index/firewall:Firewall",
        f"{SLUG}-server": "hcloud:index/server:Server",
        f"{SLUG}-attachment": "hcloud:index/volumeAttachment:VolumeAttachment",
    }
    below = [urn for urn in urns if "clawstack:tenants:ServerCell$" in urn]
    assert len(below) == len(urns) - 1, "all but the component itself"
    assert exported == {
        "endpoint": f"cell://cell-{SLUG}:18789",
        "stateDirectory": f"cell-{SLUG}:/var/lib/clawstack/volume/{SLUG}/state",
        "openclawVersion": "2026.9.6",
        "substrate": "server",
        "pid": 0,
    }


def test_every_resource_goes_through_the_cells_own_provider(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch, endpoint="http://127.0.0.1:9/v1", dns=DNS)
    provider = inputs(requests, "project")
    assert (provider["endpoint"], provider["token"]) == ("http://127.0.0.1:9/v1", PLANTED_API_TOKEN)
    made = [request for request in requests.values() if request.type.startswith("hcloud:")]
    assert len(made) == 5
    assert all(f"pulumi:providers:hcloud::{SLUG}-project" in request.provider for request in made)


def test_secrets_are_marked_and_no_other_secret_goes_to_the_engine(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch)
    assert isinstance(to_python(requests[f"{SLUG}-server"].object)["userData"], Secret)
    assert isinstance(to_python(requests[f"{SLUG}-project"].object)["token"], Secret)
    for name, request in requests.items():
        unmarked = json.dumps(_without_secrets(to_python(request.object)))
        assert PLANTED_API_TOKEN not in unmarked, name
        assert BOOT_TOKEN not in unmarked, name
        everything = json.dumps(reveal(to_python(request.object)))
        assert not [secret for secret in PLANTED if secret in everything], name


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Secret):
        return None
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def test_the_server_is_guarded_and_replaced_only_for_what_it_is_born_with(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch)
    request, server = requests[f"{SLUG}-server"], inputs(requests, "server")
    plan = plan_of()
    assert plan.machine is not None
    assert server["userData"] == plan.machine.user_data
    assert server["firewallIds"] == [4000 + len(f"{SLUG}-firewall")]
    assert (server["keepDisk"], server["shutdownBeforeDeletion"]) == (True, True)
    assert list(request.ignoreChanges) == ["image", "sshKeys"]
    assert request.deleteBeforeReplace is True
    assert inputs(requests, "attachment")["automount"] is False


def test_the_volume_is_protected_unformatted_and_outlives_the_machine(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch, cell(desired="suspended", boot=None))
    assert {request.type for request in requests.values() if request.type.startswith("hcloud:")} == {
        "hcloud:index/volume:Volume",
        "hcloud:index/firewall:Firewall",
    }
    volume = inputs(requests, "state")
    assert (volume["deleteProtection"], volume["size"], volume["location"]) == (True, 11, "nbg1")
    assert "format" not in volume


def test_labels_are_on_everything_that_carries_some(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    declare(monkeypatch, dns=DNS)
    for name in ("state", "firewall", "server", "record"):
        assert inputs(requests, name)["labels"] == cell().labels, name


def test_network_keys_and_record_come_only_when_they_are_set(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch, network_id=77, ssh_keys=["ops"], public_ipv4=False, dns=DNS)
    server = inputs(requests, "server")
    assert server["networks"] == [{"networkId": 77, "aliasIps": []}]
    assert (server["sshKeys"], server["publicNets"]) == (["ops"], [{"ipv4Enabled": False, "ipv6Enabled": True}])
    record = inputs(requests, "record")
    assert (record["zone"], record["name"], record["type"]) == ("cells.example.org", SLUG, "AAAA")
    assert record["records"] == [{"value": "2001:db8::1"}]


def test_the_record_names_the_first_address(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    declare(monkeypatch, dns=DNS)
    assert inputs(requests, "record")["type"] == "A"
    assert inputs(requests, "record")["records"] == [{"value": "198.51.100.7"}]


def test_firewall_rules_reach_hetzner_as_planned(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    opened = {"port": 22, "sources": ["192.0.2.0/28"]}
    declare(monkeypatch, inbound=[opened])
    rules = inputs(requests, "firewall")["rules"]
    assert [rule for rule in rules if rule["direction"] == "in"] == [
        {
            "direction": "in",
            "protocol": "tcp",
            "port": "22",
            "sourceIps": ["192.0.2.0/28"],
            "description": "tcp 22",
        }
    ]
    assert len(rules) == len(plan_of().rules) + 1


def test_without_a_project_the_substrate_is_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidInputError, match="'server'") as refused:
        builder_of("server", installation_of(Settings(_env_file=None)))
    assert refused.value.remedy == (
        "Choose one of: process. To use servers, set CLAWSTACK_SERVERS and CLAWSTACK_HCLOUD_TOKEN."
    )
    builder = ServerBuilder(make_settings())
    assert builder.build(cell(), today=TODAY) == plan_of()
    with pytest.raises(InvalidInputError, match="not for a server"):
        builder.build(make_spec(), today=TODAY)
