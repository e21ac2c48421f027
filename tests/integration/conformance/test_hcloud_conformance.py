"""What both hcloud plugins do alike, against the stand-in for Hetzner."""

from __future__ import annotations

import grpc
import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.plugin_server.values import UNKNOWN, Secret
from tests.integration.conformance.speaking import meaning

NAME = "hcloud"
NETWORK = {"name": "n", "ipRange": "10.0.0.0/16", "labels": {"a": "b"}}
VOLUME = {"name": "v", "size": 10, "location": "fsn1"}
USER_DATA = "#cloud-config\n# planted-0123456789"
SERVER = {
    "name": "one",
    "serverType": "cx23",
    "image": "debian-13",
    "location": "fsn1",
    "userData": Secret(USER_DATA),
}


@pytest.fixture(autouse=True)
def configured(plugin, hetzner):
    hetzner.tell("reset")
    plugin.configure(token=Secret(hetzner.token), endpoint=hetzner.endpoint, pollInterval="20ms")


def test_inputs_are_checked_and_kept(plugin):
    inputs, refused = plugin.check("Network", NETWORK)
    assert not refused
    assert inputs.items() >= NETWORK.items()


def test_a_required_input_that_is_missing_is_refused_with_its_name(plugin):
    _, refused = plugin.check("Network", {"name": "n"})
    assert any("iprange" in reason.lower().replace("_", "") for reason in refused)


def test_a_preview_with_unknowns_asks_for_nothing(plugin, hetzner):
    _, _, outputs = plugin.create("NetworkSubnet", SUBNET, preview=True)
    assert outputs["networkId"] is UNKNOWN
    assert hetzner.objects() == {}


SUBNET = {"networkId": UNKNOWN, "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.1.0/24"}


def test_what_is_made_is_read_until_it_is_deleted(plugin, hetzner):
    made = plugin.create("Network", NETWORK)
    assert hetzner.names("networks") == ["n"]
    assert plugin.read("Network", made) == made[0]
    plugin.delete("Network", made)
    assert plugin.read("Network", made) == ""


def test_no_change_a_change_in_place_and_a_replacement_are_told_apart(plugin):
    made = plugin.create("Volume", VOLUME)
    assert not plugin.diff("Volume", made, VOLUME).some
    larger = plugin.diff("Volume", made, {**VOLUME, "size": 20})
    assert (larger.some, larger.replaces) == (True, frozenset())
    assert "location" in plugin.diff("Volume", made, {**VOLUME, "location": "nbg1"}).replaces


def test_a_secret_input_does_not_come_back_in_the_clear(plugin):
    _, _, outputs = plugin.create("Server", SERVER)
    assert USER_DATA not in str(outputs), "the repr of a secret hides what it holds"


def test_a_name_that_is_taken_is_refused_whoever_took_it_and_somebody_must_act(plugin, hetzner):
    plugin.create("Network", NETWORK)
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create("Network", NETWORK)
    found = meaning(refused.value)
    assert isinstance(found, NeedsAttentionError)
    assert found.code == "hetzner_uniqueness_error"
    assert hetzner.names("networks") == ["n"]


def test_a_part_that_is_there_is_refused_whoever_made_it(plugin, hetzner):
    network = int(plugin.create("Network", NETWORK)[0])
    plugin.create("NetworkSubnet", {**SUBNET, "networkId": network})
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create("NetworkSubnet", {**SUBNET, "networkId": network})
    assert isinstance(meaning(refused.value), NeedsAttentionError)
    assert len(hetzner.ask(f"/networks/{network}")["network"]["subnets"]) == 1
