"""Which change the offline hcloud plugin makes in place, which by a new object, and which is none."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.plugin_server.values import UNKNOWN, Secret, to_struct
from tests.unit.hcloud_plugin.engine_calls import CONTEXT, Object, accepted, diff
from toolchain.plugins.hcloud_provider.provider import HcloudProvider

NONE, SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
RULES: list[Object] = [
    {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["203.0.113.0/24", "2001:db8::/32"]},
    {"direction": "in", "protocol": "icmp", "sourceIps": ["0.0.0.0/0"]},
]

IN_PLACE: list[tuple[str, Object, Object]] = [
    ("Network", {}, {"name": "b"}),
    ("Network", {}, {"labels": {"a": "b"}}),
    ("Network", {}, {"deleteProtection": True}),
    ("Network", {}, {"exposeRoutesToVswitch": True}),
    ("Firewall", {"rules": RULES}, {"rules": RULES[:1]}),
    ("FirewallAttachment", {}, {"serverIds": [2, 3]}),
    ("Server", {}, {"name": "other"}),
    ("Server", {}, {"labels": {"a": "b"}}),
    ("Server", {"labels": {"a": "b"}}, {"labels": None}),
    ("Server", {}, {"serverType": "cx33"}),
    ("Server", {}, {"backups": True}),
    ("Server", {}, {"placementGroupId": 7}),
    ("Server", {"placementGroupId": 7}, {"placementGroupId": None}),
    ("Server", {"firewallIds": [1]}, {"firewallIds": [1, 2]}),
    ("Server", {"networks": [{"networkId": 1, "ip": "10.0.0.2"}]}, {"networks": [{"networkId": 1, "ip": "10.0.0.3"}]}),
    ("Server", {"publicNets": [{"ipv4Enabled": True}]}, {"publicNets": [{"ipv4Enabled": False}]}),
    ("Server", {}, {"deleteProtection": True, "rebuildProtection": True}),
    ("Server", {}, {"rescue": "linux64"}),
    ("ServerNetwork", {}, {"aliasIps": ["10.0.1.9"]}),
    ("LoadBalancerNetwork", {}, {"enablePublicInterface": False}),
    ("PrimaryIp", {}, {"autoDelete": True}),
    ("Volume", {}, {"size": 20}),
    ("Volume", {"serverId": 1, "location": None}, {"serverId": 2}),
    ("Snapshot", {}, {"description": "b"}),
    ("LoadBalancer", {}, {"loadBalancerType": "lb21"}),
    ("LoadBalancer", {}, {"algorithm": {"type": "least_connections"}}),
    ("LoadBalancerService", {"destinationPort": 80}, {"destinationPort": 8080}),
    (
        "LoadBalancerService",
        {},
        {"healthCheck": {"protocol": "http", "port": 80, "interval": 5, "timeout": 3, "retries": 2}},
    ),
    ("LoadBalancerTarget", {}, {"usePrivateIp": True}),
    ("Zone", {}, {"ttl": 7200}),
    ("ZoneRrset", {}, {"records": [{"value": "192.0.2.2"}]}),
    ("ZoneRrset", {"ttl": 60}, {"ttl": None}),
    ("ZoneRecord", {}, {"comment": "b"}),
]
ANEW: list[tuple[str, Object, Object]] = [
    ("Network", {}, {"ipRange": "10.1.0.0/16"}),
    ("NetworkSubnet", {}, {"ipRange": "10.0.2.0/24"}),
    ("NetworkSubnet", {}, {"networkId": 2}),
    ("NetworkRoute", {}, {"gateway": "10.0.1.2"}),
    ("FirewallAttachment", {}, {"firewallId": 2}),
    ("SshKey", {}, {"publicKey": "ssh-ed25519 BBBB somebody"}),
    ("UploadedCertificate", {}, {"privateKey": "other"}),
    ("ManagedCertificate", {}, {"domainNames": ["example.org"]}),
    ("Server", {}, {"image": "ubuntu-24.04"}),
    ("Server", {"location": "fsn1"}, {"location": "nbg1"}),
    ("Server", {}, {"userData": "#cloud-config"}),
    ("Server", {"userData": "a"}, {"userData": None}),
    ("Server", {"sshKeys": ["1"]}, {"sshKeys": ["1", "2"]}),
    ("ServerNetwork", {"ip": "10.0.1.2"}, {"ip": "10.0.1.3"}),
    ("PrimaryIp", {}, {"type": "ipv6"}),
    ("Volume", {}, {"location": "nbg1"}),
    ("VolumeAttachment", {}, {"serverId": 3}),
    ("Snapshot", {}, {"serverId": 2}),
    ("LoadBalancer", {}, {"location": "nbg1"}),
    ("LoadBalancerService", {}, {"listenPort": 8080}),
    (
        "LoadBalancerService",
        {"listenPort": 80, "destinationPort": 80},
        {"protocol": "tcp", "listenPort": 80, "destinationPort": 80},
    ),
    ("LoadBalancerTarget", {}, {"serverId": 3}),
    ("Zone", {}, {"name": "example.org"}),
    ("ZoneRrset", {}, {"name": "api"}),
    ("ZoneRecord", {}, {"value": "192.0.2.2"}),
]
NO_CHANGE: list[tuple[str, Object, Object]] = [
    ("Firewall", {"rules": RULES}, {"rules": RULES[::-1]}),
    ("Firewall", {"rules": RULES[:1]}, {"rules": [{**RULES[0], "sourceIps": RULES[0]["sourceIps"][::-1]}]}),
    ("Firewall", {"rules": RULES[1:]}, {"rules": [{**RULES[1], "destinationIps": [], "description": ""}]}),
    ("Network", {"labels": {}}, {"labels": None}),
    ("SshKey", {}, {"publicKey": "ssh-ed25519 AAAA another comment\n"}),
    ("Server", {"userData": "a\n"}, {"userData": "a"}),
    ("Server", {"userData": "a"}, {"userData": Secret("a")}),
    ("Server", {"location": "fsn1"}, {"location": None}),
    ("Server", {"firewallIds": [1, 2]}, {"firewallIds": [2, 1]}),
    ("Server", {"firewallIds": [1]}, {"firewallIds": None}),
    ("Server", {"networks": [{"networkId": 1, "ip": "10.0.0.2"}]}, {"networks": None}),
    ("Server", {"networks": [{"networkId": 1, "ip": "10.0.0.2"}]}, {"networks": [{"networkId": 1}]}),
    ("Server", {"placementGroupId": 0}, {"placementGroupId": None}),
    ("LoadBalancer", {"algorithm": {"type": "least_connections"}}, {"algorithm": None}),
    ("ZoneRrset", {"records": [{"value": "a"}, {"value": "b"}]}, {"records": [{"value": "b"}, {"value": "a"}]}),
]


def named(kind: str, more: Object) -> Object:
    given = (
        {"name": "named", **more}
        if kind in {"Network", "Firewall", "SshKey", "Server", "Volume", "LoadBalancer"}
        else more
    )
    return accepted(kind, **given)


@pytest.mark.parametrize(("kind", "old", "new"), IN_PLACE)
def test_changes_in_place(kind: str, old: Object, new: Object) -> None:
    answer = diff(kind, named(kind, old), named(kind, {**old, **new}))
    assert (answer.changes, list(answer.replaces)) == (SOME, [])
    assert set(answer.diffs) == set(new)
    assert set(answer.detailedDiff) == set(new)
    assert not answer.deleteBeforeReplace


@pytest.mark.parametrize(("kind", "old", "new"), ANEW)
def test_changes_by_a_new_object(kind: str, old: Object, new: Object) -> None:
    answer = diff(kind, named(kind, old), named(kind, {**old, **new}))
    assert answer.changes == SOME
    assert answer.replaces
    assert set(answer.replaces) <= set(new)
    assert all(answer.detailedDiff[name].kind in {1, 3, 5} for name in answer.replaces)


@pytest.mark.parametrize(("kind", "old", "new"), NO_CHANGE)
def test_what_is_no_change(kind: str, old: Object, new: Object) -> None:
    assert diff(kind, named(kind, old), named(kind, {**old, **new})).changes == NONE


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        ("Server", {"location": "hel1", "networks": [{"networkId": 1, "ip": "10.0.0.2"}]}),
        ("Server", {"firewallIds": [1], "publicNets": [{"ipv4Enabled": True, "ipv6Enabled": True}]}),
        ("ServerNetwork", {"networkId": 1, "ip": "10.0.1.2"}),
        ("LoadBalancerService", {"listenPort": 80, "proxyprotocol": False}),
    ],
)
def test_wishing_what_hetzner_chose_is_no_change(kind: str, chosen: Object) -> None:
    old = named(kind, {})
    assert diff(kind, old, {**old, **chosen}, chosen=chosen).changes == NONE
    assert diff(kind, old, {**old, **chosen}).changes == SOME


def test_two_servers_cannot_bear_one_name_but_made_up_names_differ() -> None:
    explicit = diff("Server", accepted("Server", name="a"), accepted("Server", name="a", image="x"))
    assert explicit.deleteBeforeReplace
    renamed = diff("Server", accepted("Server", name="a"), accepted("Server", name="b", image="x"))
    assert not renamed.deleteBeforeReplace
    made_up = diff("Server", accepted("Server"), accepted("Server", image="x"))
    assert made_up.replaces
    assert not made_up.deleteBeforeReplace


@pytest.mark.parametrize(
    "kind", ["NetworkSubnet", "NetworkRoute", "VolumeAttachment", "LoadBalancerTarget", "ZoneRecord"]
)
def test_parts_of_something_are_removed_before_their_successor_comes(kind: str) -> None:
    changes: dict[str, Any] = {
        "NetworkSubnet": {"ipRange": "10.0.2.0/24"},
        "NetworkRoute": {"gateway": "10.0.1.2"},
        "VolumeAttachment": {"serverId": 3},
        "LoadBalancerTarget": {"serverId": 3},
        "ZoneRecord": {"value": "192.0.2.9"},
    }
    assert diff(kind, accepted(kind), accepted(kind, **changes[kind])).deleteBeforeReplace


def test_ignored_changes_are_none() -> None:
    old, new = accepted("Server", name="a", sshKeys=["1"]), accepted("Server", name="a", sshKeys=["2"])
    assert diff("Server", old, new, ignore=("sshKeys",)).changes == NONE
    assert diff("Server", old, new, ignore=("sshKeys[0]",)).changes == NONE


def test_an_unknown_differs_from_everything() -> None:
    old = accepted("VolumeAttachment")
    answer = diff("VolumeAttachment", old, {**old, "serverId": UNKNOWN})
    assert list(answer.replaces) == ["serverId"]
    place = accepted("Server", name="a", placementGroupId=1)
    assert list(diff("Server", place, {**place, "placementGroupId": UNKNOWN}).diffs) == ["placementGroupId"]


def test_a_new_token_or_endpoint_replaces_nothing() -> None:
    def changed(old: Object, new: Object) -> Any:
        request = provider_pb2.DiffRequest(old_inputs=to_struct(old), news=to_struct(new))
        context: grpc.ServicerContext = CONTEXT
        return HcloudProvider(version="1.43.3").DiffConfig(request, context)

    answer = changed({"token": Secret("a")}, {"token": Secret("b"), "endpoint": "http://127.0.0.1/v1"})
    assert (answer.changes, sorted(answer.diffs), list(answer.replaces)) == (SOME, ["endpoint", "token"], [])
    assert changed({"token": Secret("a"), "version": "1"}, {"token": "a", "version": "2"}).changes == NONE
