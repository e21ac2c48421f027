"""What changes in place do at Hetzner, and what drift looks like."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.hcloud_plugin.calling import LABELS, Engine, Made, Refused
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.integration.hcloud_plugin.test_hcloud_plugin_kinds import balancer, network, server

Object = dict[str, Any]


def commands(hetzner: Hetzner, after: int) -> list[str]:
    """The changing calls since then, without ids."""
    calls = [call for call in hetzner.requests()[after:] if call["method"] != "GET"]
    return [f"{call['method']} {call['path'].rpartition('/')[2]}" for call in calls]


def wish_of(made: Made, **more: Any) -> Object:
    return {**made.inputs_told(), **more}


def test_everything_that_needs_the_server_off_is_done_in_one_interruption(hetzner: Hetzner, plugin: Engine) -> None:
    group = plugin.create("PlacementGroup", {"name": "g", "type": "spread"})
    made = server(plugin)
    before = len(hetzner.requests())
    wish = wish_of(
        made,
        serverType="cx33",
        placementGroupId=int(group.id),
        publicNets=[{"ipv4Enabled": False, "ipv6Enabled": True}],
    )
    made = plugin.update(made, wish)
    done = commands(hetzner, before)
    assert (done.count("POST shutdown"), done.count("POST poweroff"), done.count("POST poweron")) == (1, 0, 1)
    assert done.index("POST shutdown") < done.index("POST change_type") < done.index("POST poweron")
    assert made.outputs["status"] == "running"
    assert made.outputs["serverType"] == "cx33"
    assert made.outputs["placementGroupId"] == int(group.id)
    assert "ipv4Address" not in made.outputs
    made = plugin.update(made, wish_of(made, placementGroupId=None, publicNets=[{"ipv4Enabled": True}]))
    assert made.outputs["placementGroupId"] == 0
    assert made.outputs["ipv4Address"]


@pytest.mark.parametrize(("keep", "disk"), [(True, 40), (False, 80)])
def test_a_kept_disk_stays_as_small_as_it_was(plugin: Engine, keep: bool, disk: int) -> None:
    made = server(plugin, keepDisk=keep)
    assert made.outputs["primaryDiskSize"] == 40
    assert plugin.update(made, wish_of(made, serverType="cx33")).outputs["primaryDiskSize"] == disk


def test_a_server_that_was_off_stays_off(hetzner: Hetzner, plugin: Engine) -> None:
    made = server(plugin)
    hetzner.tell(f"change/servers/{made.id}", {"values": {"status": "off"}})
    before = len(hetzner.requests())
    made = plugin.update(made, wish_of(made, serverType="cx33"))
    assert not {"POST poweron", "POST poweroff", "POST shutdown"} & set(commands(hetzner, before))
    assert made.outputs["status"] == "off"


def test_a_server_without_public_addresses_boots_in_its_networks(hetzner: Hetzner, plugin: Engine) -> None:
    net, _ = network(plugin)
    before = len(hetzner.requests())
    hidden = [{"ipv4Enabled": False, "ipv6Enabled": False}]
    made = server(plugin, publicNets=hidden, networks=[{"networkId": int(net.id), "ip": "10.0.1.9"}])
    done = commands(hetzner, before)
    assert done.index("POST attach_to_network") < done.index("POST poweron")
    assert made.outputs["status"] == "running"
    assert made.outputs["networks"][0]["ip"] == "10.0.1.9"


def test_firewalls_and_networks_of_a_server_follow_the_wish(plugin: Engine) -> None:
    net, _ = network(plugin)
    first, second = (plugin.create("Firewall", {"name": name}) for name in ("f", "g"))
    made = server(plugin, firewallIds=[int(first.id)], networks=[{"networkId": int(net.id), "ip": "10.0.1.9"}])
    changed = [{"networkId": int(net.id), "ip": "10.0.1.10", "aliasIps": ["10.0.1.11"]}]
    made = plugin.update(made, wish_of(made, firewallIds=[int(second.id)], networks=changed))
    assert made.outputs["firewallIds"] == [int(second.id)]
    assert (made.outputs["networks"][0]["ip"], made.outputs["networks"][0]["aliasIps"]) == ("10.0.1.10", ["10.0.1.11"])
    again = plugin.refresh(made)
    assert again is not None
    assert plugin.diff(again, wish_of(made)).changes == 1


def test_an_attachment_that_another_resource_made_is_no_drift_of_the_server(plugin: Engine) -> None:
    made = server(plugin)
    firewall = plugin.create("Firewall", {"name": "f"})
    plugin.create("FirewallAttachment", {"firewallId": int(firewall.id), "serverIds": [int(made.id)]})
    _, subnet = network(plugin)
    plugin.create("ServerNetwork", {"serverId": int(made.id), "subnetId": subnet.id})
    again = plugin.refresh(made)
    assert again is not None
    assert again.inputs_told() == made.inputs_told()
    known = plugin.refresh(firewall)
    assert known is not None
    assert plugin.diff(known, wish_of(firewall)).changes == 1


DRIFTS: list[tuple[str, Object, Object]] = [
    ("labels", {"labels": {**LABELS, "edited": "x"}}, {"labels": {**LABELS, "edited": "x"}}),
    ("labels", {"labels": {}}, {"labels": {}}),
    ("name", {"name": "renamed"}, {"name": "renamed"}),
    ("backups", {"backup_window": "22-02"}, {"backups": True}),
    ("deleteProtection", {"protection": {"delete": True, "rebuild": True}}, {"deleteProtection": True}),
]


@pytest.mark.parametrize(("name", "edit", "seen"), DRIFTS)
def test_drift_is_seen_and_repaired(hetzner: Hetzner, plugin: Engine, name: str, edit: Object, seen: Object) -> None:
    made = server(plugin)
    hetzner.tell(f"change/servers/{made.id}", {"values": edit})
    drifted = plugin.refresh(made)
    assert drifted is not None
    assert {key: drifted.inputs[key] for key in seen} == seen
    answer = plugin.diff(drifted, wish_of(made))
    assert name in answer.diffs
    repaired = plugin.update(drifted, wish_of(made))
    again = plugin.refresh(repaired)
    assert again is not None
    assert again.inputs_told() == made.inputs_told()


def test_rules_that_somebody_added_are_drift(hetzner: Hetzner, plugin: Engine) -> None:
    rule = {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["203.0.113.0/24"]}
    made = plugin.create("Firewall", {"name": "f", "rules": [rule]})
    wild = {"direction": "in", "protocol": "tcp", "port": "any", "source_ips": ["0.0.0.0/0"], "destination_ips": []}
    hetzner.tell(f"change/firewalls/{made.id}", {"values": {"rules": [wild]}})
    drifted = plugin.refresh(made)
    assert drifted is not None
    assert list(plugin.diff(drifted, wish_of(made)).diffs) == ["rules"]
    repaired = plugin.update(drifted, wish_of(made))
    assert repaired.outputs["rules"] == [rule]


def test_a_protected_object_says_what_protects_it(hetzner: Hetzner, plugin: Engine) -> None:
    made = server(plugin, deleteProtection=True, rebuildProtection=True)
    with pytest.raises(Refused) as refused:
        plugin.delete(made)
    assert refused.value.error is not None
    assert refused.value.error.code == "hetzner_protected"
    assert "delete server one" in refused.value.text
    assert "Set deleteProtection" in refused.value.text
    free = plugin.update(made, wish_of(made, deleteProtection=False, rebuildProtection=False))
    plugin.delete(free)
    assert hetzner.names("servers") == []


def test_a_protected_volume_stays_attached_when_it_cannot_be_deleted(plugin: Engine) -> None:
    machine = server(plugin)
    wish = {"name": "v", "size": 10, "serverId": int(machine.id), "deleteProtection": True}
    made = plugin.create("Volume", wish)
    with pytest.raises(Refused, match="protected"):
        plugin.delete(made)
    again = plugin.refresh(made)
    assert again is not None
    assert again.outputs["serverId"] == int(machine.id)
    free = plugin.update(made, {**wish, "deleteProtection": False})
    plugin.delete(free)


def test_a_volume_moves_from_server_to_server(plugin: Engine) -> None:
    first, second = server(plugin), server(plugin, "two")
    made = plugin.create("Volume", {"name": "v", "size": 10, "serverId": int(first.id)})
    made = plugin.update(made, wish_of(made, serverId=int(second.id)))
    assert made.outputs["serverId"] == int(second.id)
    with pytest.raises(Refused, match=rf"attached to server {second.id} already"):
        plugin.create("VolumeAttachment", {"volumeId": int(made.id), "serverId": int(first.id)})


def test_a_primary_address_is_given_and_taken(plugin: Engine) -> None:
    wish = {"name": "p", "type": "ipv4", "location": "fsn1", "autoDelete": False}
    address = plugin.create("PrimaryIp", wish)
    made = server(plugin, publicNets=[{"ipv4": int(address.id), "ipv6Enabled": False}])
    assert made.outputs["ipv4Address"] == address.outputs["ipAddress"]
    seen = plugin.refresh(address)
    assert seen is not None
    assert seen.outputs["assigneeId"] == int(made.id)
    assert plugin.diff(seen, wish).changes == 1, "who has it is the server's wish"
    plugin.delete(seen)
    bare = plugin.refresh(made)
    assert bare is not None
    assert "ipv4Address" not in bare.outputs
    assert bare.outputs["status"] == "running"


def test_a_load_balancer_asks_its_targets_by_their_private_address(plugin: Engine) -> None:
    _, subnet = network(plugin)
    front, made = balancer(plugin), server(plugin)
    plugin.create("ServerNetwork", {"serverId": int(made.id), "subnetId": subnet.id})
    plugin.create("LoadBalancerNetwork", {"loadBalancerId": int(front.id), "subnetId": subnet.id})
    wish = {"loadBalancerId": int(front.id), "type": "server", "serverId": int(made.id), "usePrivateIp": True}
    target = plugin.create("LoadBalancerTarget", wish)
    assert target.outputs["usePrivateIp"] is True
    assert target.id == f"lb-srv-tgt-{made.id}-{front.id}"
    seen = plugin.refresh(front)
    assert seen is not None
    assert seen.inputs == front.inputs
    assert seen.outputs["networkIp"].startswith("10.0.1.")


def test_a_graceful_end_shuts_the_server_down_first(hetzner: Hetzner, plugin: Engine) -> None:
    made = server(plugin, shutdownBeforeDeletion=True)
    before = len(hetzner.requests())
    plugin.delete(made)
    assert commands(hetzner, before) == ["POST shutdown", f"DELETE {made.id}"]


def test_programs_can_ask(plugin: Engine) -> None:
    made = server(plugin)
    assert plugin.invoke("getServer", name="one")["id"] == int(made.id)
    assert plugin.invoke("getServer", id=int(made.id))["serverType"] == "cx23"
    assert [
        one["name"] for one in plugin.invoke("getServers", withSelector="clawstack.dev/tenant=anna")["servers"]
    ] == ["one"]
    assert plugin.invoke("getServerType", name="cax11")["architecture"] == "arm"
    assert "cx33" in plugin.invoke("getServerTypes")["names"]
    assert plugin.invoke("getLocation", name="fsn1")["networkZone"] == "eu-central"
    assert "hel1" in plugin.invoke("getLocations")["names"]
    image = plugin.invoke("getImage", name="debian-13", withArchitecture="arm")
    assert (image["architecture"], image["name"]) == ("arm", "debian-13")
    assert plugin.invoke("getImages", withArchitectures=["x86"])["images"]
    network(plugin)
    assert plugin.invoke("getNetwork", name="net")["ipRange"] == "10.0.0.0/16"
    with pytest.raises(Refused, match="no server with name 'nobody'"):
        plugin.invoke("getServer", name="nobody")
    with pytest.raises(Refused, match="Give id or name"):
        plugin.invoke("getServer")
    with pytest.raises(Refused, match="has no function hcloud:index/getStorageBox:getStorageBox"):
        plugin.invoke("getStorageBox", name="x")
