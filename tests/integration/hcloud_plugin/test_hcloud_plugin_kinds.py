"""Every kind of resource through its life: made, seen, changed, imported, deleted; against the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clawstack.plugin_server.values import Secret, has_unknown, reveal
from tests.integration.hcloud_plugin.calling import LABELS, Engine, Made
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.unit.hcloud_plugin.engine_calls import TYPES
from toolchain.plugins.hcloud_provider.registry import RESOURCES

Object = dict[str, Any]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIKhSIrB2yK9P45adO9DANus7gBWvXFBQULjoQUgopcd it"


def server(plugin: Engine, name: str = "one", **more: Any) -> Made:
    wish = {"name": name, "serverType": "cx23", "image": "debian-13", "location": "fsn1", "labels": LABELS}
    return plugin.create("Server", {**wish, **more})


def network(plugin: Engine) -> tuple[Made, Made]:
    net = plugin.create("Network", {"name": "net", "ipRange": "10.0.0.0/16", "labels": LABELS})
    wish = {"networkId": int(net.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.1.0/24"}
    return net, plugin.create("NetworkSubnet", wish)


def balancer(plugin: Engine) -> Made:
    return plugin.create("LoadBalancer", {"name": "lb", "loadBalancerType": "lb11", "location": "fsn1"})


def of_server(plugin: Engine) -> Object:
    return {"serverId": int(server(plugin).id)}


def of_network(plugin: Engine) -> Object:
    return {"networkId": int(network(plugin)[0].id)}


def in_network(plugin: Engine) -> Object:
    _, subnet = network(plugin)
    return {"serverId": int(server(plugin).id), "subnetId": subnet.id, "ip": "10.0.1.7"}


def balancer_in_network(plugin: Engine) -> Object:
    net, _ = network(plugin)
    return {"loadBalancerId": int(balancer(plugin).id), "networkId": int(net.id), "ip": "10.0.1.8"}


def of_volume(plugin: Engine) -> Object:
    volume = plugin.create("Volume", {"name": "v", "size": 10, "location": "fsn1"})
    return {**of_server(plugin), "volumeId": int(volume.id)}


def of_firewall(plugin: Engine) -> Object:
    firewall = plugin.create("Firewall", {"name": "f"})
    return {"firewallId": int(firewall.id), "serverIds": [int(server(plugin).id)], "labelSelectors": ["a=b"]}


def to_server(plugin: Engine) -> Object:
    return {"loadBalancerId": int(balancer(plugin).id), "type": "server", "serverId": int(server(plugin).id)}


def of_zone(plugin: Engine) -> Object:
    plugin.create("Zone", {"name": "example.com", "mode": "primary"})
    return {"zone": "example.com", "name": "www", "type": "A"}


def nothing(_: Engine) -> Object:
    return {}


#: Kind, what it needs, its wish, a change in place, what is imported (the id where empty).
LIVES: list[tuple[str, Callable[[Engine], Object], Object, Object, str]] = [
    ("Network", nothing, {"name": "n", "ipRange": "10.0.0.0/8"}, {"labels": LABELS, "deleteProtection": False}, ""),
    (
        "NetworkSubnet",
        lambda plugin: {"networkId": int(plugin.create("Network", {"ipRange": "10.0.0.0/16"}).id)},
        {"type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.3.0/24"},
        {},
        "",
    ),
    ("NetworkRoute", of_network, {"destination": "10.0.9.0/24", "gateway": "10.0.1.2"}, {}, ""),
    (
        "Firewall",
        nothing,
        {"name": "f", "rules": [{"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["::/0"]}]},
        {"rules": [{"direction": "out", "protocol": "icmp", "destinationIps": ["0.0.0.0/0"], "description": "ping"}]},
        "",
    ),
    ("FirewallAttachment", of_firewall, {}, {"labelSelectors": ["c=d"]}, ""),
    ("PlacementGroup", nothing, {"name": "g", "type": "spread"}, {"name": "h"}, ""),
    ("SshKey", nothing, {"name": "k", "publicKey": KEY}, {"labels": LABELS}, ""),
    (
        "Server",
        nothing,
        {"name": "s", "serverType": "cx23", "image": "debian-13", "location": "nbg1", "userData": "#cloud-config"},
        {"serverType": "cx33", "backups": True, "labels": LABELS},
        "",
    ),
    ("ServerNetwork", in_network, {}, {"aliasIps": ["10.0.1.20"]}, ""),
    ("PrimaryIp", nothing, {"name": "p", "type": "ipv4", "location": "fsn1"}, {"labels": LABELS}, ""),
    ("LoadBalancerNetwork", balancer_in_network, {}, {"enablePublicInterface": False}, ""),
    (
        "Volume",
        nothing,
        {"name": "v", "size": 10, "location": "fsn1", "format": "ext4", "labels": LABELS},
        {"size": 11},
        "",
    ),
    ("VolumeAttachment", of_volume, {}, {}, ""),
    ("Snapshot", of_server, {"description": "before", "labels": LABELS}, {"description": "after"}, ""),
    (
        "LoadBalancer",
        nothing,
        {"name": "l", "loadBalancerType": "lb11", "networkZone": "eu-central", "labels": LABELS},
        {"algorithm": {"type": "least_connections"}, "loadBalancerType": "lb21"},
        "",
    ),
    (
        "LoadBalancerService",
        lambda plugin: {"loadBalancerId": balancer(plugin).id},
        {"protocol": "http", "listenPort": 8080, "destinationPort": 80},
        {
            "http": {"stickySessions": True, "cookieName": "LB"},
            "healthCheck": {"protocol": "tcp", "port": 81, "interval": 15, "timeout": 5, "retries": 3},
        },
        "",
    ),
    ("LoadBalancerTarget", to_server, {}, {}, "{loadBalancerId}__server__{serverId}"),
    (
        "LoadBalancerTarget",
        lambda plugin: {"loadBalancerId": int(balancer(plugin).id)},
        {"type": "label_selector", "labelSelector": "role=web"},
        {},
        "{loadBalancerId}__label_selector__role=web",
    ),
    ("Zone", nothing, {"name": "example.org", "mode": "primary", "labels": LABELS}, {"ttl": 600}, ""),
    (
        "ZoneRrset",
        of_zone,
        {"records": [{"value": "192.0.2.2"}, {"value": "192.0.2.1", "comment": "first"}], "ttl": 300},
        {"records": [{"value": "192.0.2.3"}], "ttl": 600, "labels": LABELS},
        "example.com/www/A",
    ),
    ("ZoneRecord", of_zone, {"value": "192.0.2.4"}, {"comment": "told"}, ""),
]
NAMES = [f"{kind}-{index}" for index, (kind, *_) in enumerate(LIVES)]


@pytest.mark.parametrize(("kind", "needs", "wish", "change", "imported"), LIVES, ids=NAMES)
def test_the_life_of_a_resource(
    hetzner: Hetzner,
    plugin: Engine,
    kind: str,
    needs: Callable[[Engine], Object],
    wish: Object,
    change: Object,
    imported: str,
) -> None:
    wish = {**needs(plugin), **wish}
    foreseen = plugin.preview(kind, wish)
    made = plugin.create(kind, wish)
    assert set(made.outputs) <= set(foreseen), "a preview knows of every output"
    resource = RESOURCES[TYPES[kind]]
    for name, value in foreseen.items():
        if not has_unknown(value) and resource.fields[name].readable:
            assert made.outputs.get(name, value or None) == (value or made.outputs.get(name)), name

    again = plugin.refresh(made)
    assert again is not None
    assert (again.inputs, again.outputs) == (made.inputs, made.outputs), "nothing has drifted"
    assert plugin.diff(again, wish).changes == 1

    if change:
        assert list(plugin.diff(made, {**wish, **change}).replaces) == []
        made = plugin.update(made, {**wish, **change})
        again = plugin.refresh(made)
        assert again is not None
        assert again.inputs == made.inputs
        assert plugin.diff(again, {**wish, **change}).changes == 1
        calls = len(hetzner.requests())
        plugin.update(made, {**wish, **change})
        changing = [call for call in hetzner.requests()[calls:] if call["method"] != "GET"]
        assert changing == [], "an update that is made again changes nothing"

    adopted = plugin.adopt(kind, imported.format(**made.outputs) or made.id)
    assert adopted is not None
    assert adopted.id == made.id
    for name, field in resource.fields.items():
        if field.readable and made.inputs.get(name) and name != "subnetId":
            assert name in adopted.inputs
    readable = {name: value for name, value in {**wish, **change}.items() if resource.fields[name].readable}
    assert set(plugin.diff(adopted, readable).diffs) <= {"subnetId"}, "no API tells which subnet was meant"

    plugin.delete(made)
    assert plugin.refresh(made) is None
    plugin.delete(made)


def test_nothing_is_left_of_all_these_lives(hetzner: Hetzner, plugin: Engine) -> None:
    made = [server(plugin), *network(plugin)]
    for one in made[::-1]:
        plugin.delete(one)
    assert hetzner.objects() == {}


def test_what_is_secret_stays_secret(plugin: Engine) -> None:
    made = server(plugin, userData=Secret("planted"))
    assert isinstance(made.outputs["userData"], Secret)
    assert "planted" not in str(reveal(made.outputs)), "outputs hold a digest, as with the official provider"
    again = plugin.refresh(made)
    assert again is not None
    assert isinstance(again.inputs["userData"], Secret)
    assert reveal(again.inputs["userData"]) == "planted"
    plain = server(plugin, "two", userData="open")
    assert not isinstance(plain.outputs["userData"], Secret)
