"""What the offline hcloud plugin accepts, completes and refuses before anything is asked of Hetzner."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.plugin_server.values import UNKNOWN, Secret, reveal, to_python, to_struct
from tests.unit.hcloud_plugin.engine_calls import CONTEXT, LEAST, TYPES, Object, accepted, check, least
from toolchain.plugins.hcloud_provider.provider import HcloudProvider

RULE: Object = {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["203.0.113.0/24"]}


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_least_is_accepted_known_or_not(kind: str) -> None:
    inputs, failures = check(kind, least(kind))
    assert failures == {}
    assert {name: inputs[name] for name in LEAST[kind]} == LEAST[kind]
    foreseen, failures = check(kind, dict.fromkeys(LEAST[kind], UNKNOWN))
    assert failures == {}
    assert all(foreseen[name] is UNKNOWN for name in LEAST[kind])


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_same_wish_gives_the_same_inputs_in_the_next_update(kind: str) -> None:
    inputs = accepted(kind)
    assert check(kind, least(kind), inputs, seed=b"another") == (inputs, {})


REFUSED: list[tuple[str, Object, str, str]] = [
    ("Network", {"ipRange": None}, "ipRange", "is required"),
    ("Network", {"ipRange": "10.0.0.1/16"}, "ipRange", "host bits"),
    ("Network", {"ipRange": "203.0.113.0/24"}, "ipRange", "RFC 1918"),
    ("Network", {"ipRange": 7}, "ipRange", "is no network range"),
    ("Network", {"iprange": "10.0.0.0/8"}, "iprange", "there are deleteProtection, exposeRoutesToVswitch, ipRange"),
    ("Network", {"labels": {"a b": "c"}}, "labels", "the key 'a b'"),
    ("Network", {"labels": {"a": "not this!"}}, "labels", "'not this!' for a"),
    ("Network", {"labels": ["a"]}, "labels", "must be a map of texts, not list"),
    ("NetworkSubnet", {"type": "cloudy"}, "type", "allowed are 'cloud', 'server', 'vswitch'"),
    ("NetworkSubnet", {"type": "vswitch"}, "vswitchId", "is required when type is 'vswitch'"),
    ("NetworkSubnet", {"vswitchId": 4}, "vswitchId", "leave it out"),
    ("NetworkSubnet", {"networkId": "trial"}, "networkId", "must be a whole number, not str"),
    ("Firewall", {"rules": [{**RULE, "direction": "into"}]}, "rules[0].direction", "allowed are 'in', 'out'"),
    ("Firewall", {"rules": [{**RULE, "port": None}]}, "rules[0].port", "is required with protocol 'tcp'"),
    ("Firewall", {"rules": [{**RULE, "port": "90-80"}]}, "rules[0].port", 'a range like "80-85"'),
    ("Firewall", {"rules": [{**RULE, "port": "70000"}]}, "rules[0].port", "is no port"),
    ("Firewall", {"rules": [{**RULE, "protocol": "icmp"}]}, "rules[0].port", "only with tcp and udp"),
    ("Firewall", {"rules": [{**RULE, "sourceIps": []}]}, "rules[0].sourceIps", "is required with direction 'in'"),
    ("Firewall", {"rules": [{**RULE, "sourceIps": ["home"]}]}, "rules[0].sourceIps", "'home', which is no network"),
    ("Firewall", {"rules": [{**RULE, "destinationIps": ["::/0"]}]}, "rules[0].destinationIps", "does not go with"),
    ("Firewall", {"rules": [RULE] * 51}, "rules", "at most 50"),
    ("FirewallAttachment", {"serverIds": []}, "serverIds", "must name something"),
    ("PlacementGroup", {"type": "pack"}, "type", "allowed are 'spread'"),
    ("SshKey", {"publicKey": "nonsense"}, "publicKey", "id_ed25519.pub"),
    ("ManagedCertificate", {"domainNames": []}, "domainNames", "at least 1"),
    ("Server", {"serverType": None}, "serverType", "is required"),
    ("Server", {"image": None}, "image", "is required to create a server"),
    ("Server", {"name": "not_a_host"}, "name", "no valid host name"),
    ("Server", {"userData": "x" * 32769}, "userData", "32769 bytes; Hetzner takes at most 32768"),
    ("Server", {"deleteProtection": True}, "rebuildProtection", "must be the same as deleteProtection"),
    ("Server", {"location": "fsn1", "datacenter": "fsn1-dc14"}, "datacenter", "leave datacenter out"),
    ("Server", {"networks": [{"networkId": 1}, {"networkId": 1}]}, "networks", "one network twice"),
    ("Server", {"networks": [{"ip": "10.0.0.2"}]}, "networks[0].networkId", "needs networkId or subnetId"),
    ("Server", {"networks": [{"networkId": 1, "ip": "10.0.0"}]}, "networks[0].ip", "is no IP address"),
    ("Server", {"rescue": "dos"}, "rescue", "allowed are 'linux64', 'linux32'"),
    ("Server", {"backups": "maybe"}, "backups", "must be true or false"),
    ("ServerNetwork", {"subnetId": None}, "subnetId", "subnetId or networkId is required"),
    ("ServerNetwork", {"networkId": 2}, "subnetId", "is not in network 2"),
    ("Volume", {"size": 9}, "size", "allowed are 10 to 10240"),
    ("Volume", {"format": "btrfs"}, "format", "allowed are 'ext4', 'xfs'"),
    ("Volume", {"location": None}, "location", "location or serverId is required"),
    ("Volume", {"serverId": 1}, "location", "does not go with serverId"),
    ("PrimaryIp", {"type": "ipv5"}, "type", "allowed are 'ipv4', 'ipv6'"),
    ("PrimaryIp", {"location": None}, "location", "exactly one of"),
    ("LoadBalancer", {"location": None}, "location", "location or networkZone is required"),
    ("LoadBalancer", {"algorithm": {"type": "random"}}, "algorithm.type", "'round_robin', 'least_connections'"),
    ("LoadBalancer", {"ipv4Id": 4}, "ipv4Id", "not served by the offline plugin"),
    ("LoadBalancerService", {"protocol": "tcp"}, "listenPort", "is required when protocol is 'tcp'"),
    ("LoadBalancerService", {"protocol": "https"}, "http.certificates", "at least one certificate"),
    ("LoadBalancerService", {"listenPort": 0}, "listenPort", "is no port"),
    ("LoadBalancerService", {"healthCheck": {"protocol": "tcp"}}, "healthCheck.interval", "is required"),
    ("LoadBalancerTarget", {"serverId": None}, "serverId", "is required when type is 'server'"),
    ("LoadBalancerTarget", {"ip": "192.0.2.1"}, "ip", "does not go with type 'server'"),
    ("Zone", {"mode": "secondary"}, "primaryNameservers", "is required when mode is 'secondary'"),
    ("Zone", {"primaryNameservers": [{"address": "192.0.2.1"}]}, "primaryNameservers", "leave it out"),
    ("Zone", {"ttl": 5}, "ttl", "allowed are 60 to"),
    ("ZoneRrset", {"records": []}, "records", "at least 1"),
    ("ZoneRrset", {"type": "SPF"}, "type", "allowed are 'A', 'AAAA'"),
]


@pytest.mark.parametrize(("kind", "more", "place", "reason"), REFUSED)
def test_what_cannot_work_is_refused_with_its_reason(kind: str, more: Object, place: str, reason: str) -> None:
    _, failures = check(kind, least(kind, **more))
    assert place in failures, failures
    assert reason in failures[place]
    assert (
        failures[place].startswith(place.split("[", maxsplit=1)[0].split(".", maxsplit=1)[0])
        or place in failures[place]
    )


def test_defaults_and_a_made_up_name_are_those_of_the_official_provider() -> None:
    inputs = accepted("Server")
    name = inputs.pop("name")
    assert name.startswith("it-")
    assert len(name) == len("it-") + 7
    assert inputs == {
        "__defaults": [
            "allowDeprecatedImages",
            "backups",
            "deleteProtection",
            "ignoreRemoteFirewallIds",
            "keepDisk",
            "name",
            "rebuildProtection",
            "shutdownBeforeDeletion",
        ],
        "allowDeprecatedImages": False,
        "backups": False,
        "deleteProtection": False,
        "ignoreRemoteFirewallIds": False,
        "image": "debian-13",
        "keepDisk": False,
        "rebuildProtection": False,
        "serverType": "cx23",
        "shutdownBeforeDeletion": False,
    }


def test_a_made_up_name_stays_and_a_new_object_gets_another() -> None:
    first = accepted("Server")
    again, _ = check("Server", least("Server"), first, seed=b"another")
    assert again["name"] == first["name"]
    fresh, _ = check("Server", least("Server"), seed=b"another")
    assert fresh["name"] != first["name"]
    named = accepted("Server", name="mine")
    assert "name" not in named["__defaults"]
    let_go, _ = check("Server", least("Server"), named)
    assert let_go["name"] != "mine"


def test_ids_may_come_as_texts_and_numbers_as_ids() -> None:
    inputs = accepted("NetworkSubnet", networkId="42")
    assert inputs["networkId"] == 42
    assert accepted("LoadBalancerService", loadBalancerId=42)["loadBalancerId"] == "42"
    assert accepted("Server", sshKeys=[7])["sshKeys"] == ["7"]
    assert accepted("Server", backups="true")["backups"] is True


def test_secrets_stay_secret_and_no_refusal_tells_them() -> None:
    inputs = accepted("Server", userData=Secret("planted"))
    assert isinstance(inputs["userData"], Secret)
    _, failures = check("UploadedCertificate", least("UploadedCertificate", privateKey=Secret({"planted": 1})))
    assert "planted" not in str(failures)
    _, failures = check("Server", least("Server", userData=Secret("planted" * 9000)))
    assert "planted" not in str(failures)
    assert failures["userData"].startswith("userData has 63000 bytes")


def test_defaults_inside_a_group_are_filled_in() -> None:
    inputs = accepted("Server", publicNets=[{"ipv4Enabled": False}])
    assert inputs["publicNets"] == [{"ipv4Enabled": False, "ipv6Enabled": True}]


def test_a_volume_is_never_made_smaller_or_formatted_again() -> None:
    before = accepted("Volume", size=20, format="ext4")
    _, failures = check("Volume", least("Volume", size=10, format="ext4"), before)
    assert "size is 10 and was 20; a volume can only grow" in failures["size"]
    _, failures = check("Volume", least("Volume", size=20, format="xfs"), before)
    assert "a volume is formatted only once" in failures["format"]
    assert check("Volume", least("Volume", size=30, format="ext4"), before)[1] == {}


def test_unknown_parts_are_not_judged() -> None:
    rule = {"direction": UNKNOWN, "protocol": UNKNOWN, "port": UNKNOWN, "sourceIps": UNKNOWN}
    assert check("Firewall", {"rules": [rule]})[1] == {}
    assert check("Server", least("Server", networks=[{"networkId": UNKNOWN}, {"networkId": UNKNOWN}]))[1] == {}


CONFIGS: list[tuple[Object, dict[str, str]]] = [
    ({"token": "t", "endpoint": "http://127.0.0.1:1/v1", "pollInterval": "1m30s", "pollFunction": "constant"}, {}),
    ({"version": "1.43.3", "token": UNKNOWN, "endpoint": UNKNOWN}, {}),
    ({"pollInterval": "soon"}, {"pollInterval": "write a duration"}),
    ({"pollFunction": "never"}, {"pollFunction": "'constant', 'exponential'"}),
    ({"endpoint": "api.hetzner.cloud"}, {"endpoint": "https://api.hetzner.cloud/v1"}),
    ({"tokn": "t"}, {"tokn": "there are endpoint"}),
]


@pytest.mark.parametrize(("config", "reasons"), CONFIGS)
def test_the_providers_own_settings_are_judged(config: Object, reasons: dict[str, Any]) -> None:
    request = provider_pb2.CheckRequest(urn="urn:pulumi:dev::p::pulumi:providers:hcloud::it", news=to_struct(config))
    answer = HcloudProvider(version="1.43.3").CheckConfig(request, CONTEXT)
    failures = {failure.property: failure.reason for failure in answer.failures}
    assert set(failures) == set(reasons)
    assert all(reason in failures[name] for name, reason in reasons.items())
    inputs = to_python(answer.inputs)
    assert reveal(inputs) == config
    assert "token" not in config or isinstance(inputs["token"], Secret)
