"""Every Hetzner rule four times: what breaks it, what passes, what a preview does not know yet, an exemption."""

from __future__ import annotations

import base64
import gzip
import inspect
from typing import Any

import pulumi_hcloud
import pytest
from pulumi_policy import Secret
from pulumi_policy.proxy import UnknownValueError

from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.allowance import types_allowed
from clawstack_policies.hetzner.firewalls import firewall_on_every_server, no_public_administration, no_public_balancer
from clawstack_policies.hetzner.nodes import backups_for_control_planes, private_network_for_nodes
from clawstack_policies.hetzner.protection import data_protected, volumes_closed
from clawstack_policies.hetzner.user_data import no_secret_in_user_data
from clawstack_policies.labelling import labels_of, labels_required
from tests.unit.policies.hetzner_resources import (
    CELL,
    CELL_PROJECT,
    REASON,
    WORKER,
    Declared,
    judged,
    node,
    opened,
    server,
    stack_judged,
    volume,
)
from tests.unit.policies.judging import UNKNOWN

STRANGER = "random:index/randomPet:RandomPet"
EXEMPT = {"exemptions": [{"resource": "::thing", "reason": REASON}]}
EXEMPT_NODE = {"exemptions": [{"resource": "::cp", "reason": REASON}]}


class TestPublicAdministration:
    @pytest.mark.parametrize(
        ("props", "words"),
        [
            (opened("22", "0.0.0.0/0"), "opens SSH to 0.0.0.0/0"),
            (opened("22", "::/0"), "opens SSH to ::/0"),
            (opened("6443", "10.0.0.0/8", "0.0.0.0/0"), "the Kubernetes API to 0.0.0.0/0"),
            (opened("1-65535", "0.0.0.0/0"), "SSH and the Kubernetes API"),
            (opened("any", "::/0"), "SSH and the Kubernetes API"),
            (opened("6000-7000", "::/0"), "the Kubernetes API"),
            (opened("22", "0.0.0.0/1", "128.0.0.0/1"), "0.0.0.0/1, 128.0.0.0/1"),
            (opened("22", "everybody"), "everybody"),
            (opened("ssh", "0.0.0.0/0"), "SSH"),
        ],
    )
    def test_fail(self, props: Any, words: str) -> None:
        [report] = judged(no_public_administration(), objects.FIREWALL, props)
        assert words in report
        assert "sourceIps" in report

    @pytest.mark.parametrize(
        "props",
        [
            opened("22", "203.0.113.7/32", "2001:db8::/32"),
            opened("6443", "10.0.0.0/8"),
            opened("443", "0.0.0.0/0", "::/0"),
            opened("22", "0.0.0.0/0", direction="out"),
            opened("22", "0.0.0.0/0", protocol="udp"),
            opened("22"),
            {"name": "closed"},
        ],
    )
    def test_pass(self, props: Any) -> None:
        assert judged(no_public_administration(), objects.FIREWALL, props) == []

    def test_other_type(self) -> None:
        assert judged(no_public_administration(), STRANGER, opened("22", "0.0.0.0/0")) == []

    @pytest.mark.parametrize("props", [{"rules": UNKNOWN}, opened("22", UNKNOWN)])
    def test_unknown(self, props: Any) -> None:
        with pytest.raises(UnknownValueError):
            judged(no_public_administration(), objects.FIREWALL, props)

    def test_exemption(self) -> None:
        wide = opened("22", "0.0.0.0/0")
        assert judged(no_public_administration(), objects.FIREWALL, wide, config=EXEMPT) == []
        assert judged(no_public_administration(), objects.FIREWALL, wide, name="other", config=EXEMPT)


def balancer(*, public: bool | None, port: int = 6443) -> list[Declared]:
    link = Declared("link", objects.LOAD_BALANCER_NETWORK, {"loadBalancerId": 5}, {"loadBalancerId": "lb"})
    if public is not None:
        link.props["enablePublicInterface"] = public
    service = Declared("api", objects.LOAD_BALANCER_SERVICE, {"listenPort": port}, {"loadBalancerId": "lb"})
    return [Declared("lb", objects.LOAD_BALANCER, {"name": "lb"}), link, service]


class TestPublicBalancer:
    @pytest.mark.parametrize("public", [True, None])
    def test_fail(self, public: bool | None) -> None:
        [(report, urn)] = stack_judged(no_public_balancer(), *balancer(public=public))
        assert "the Kubernetes API" in report
        assert urn.endswith("::api")

    def test_fail_without_a_private_network(self) -> None:
        lb, _, service = balancer(public=None, port=22)
        assert "SSH" in stack_judged(no_public_balancer(), lb, service)[0][0]

    def test_pass(self) -> None:
        assert stack_judged(no_public_balancer(), *balancer(public=False)) == []
        assert stack_judged(no_public_balancer(), *balancer(public=True, port=443)) == []

    def test_unknown(self) -> None:
        lb, link, service = balancer(public=True)
        service.props["listenPort"] = UNKNOWN
        with pytest.raises(UnknownValueError):
            stack_judged(no_public_balancer(), lb, link, service)

    def test_exemption(self) -> None:
        config = {"exemptions": [{"resource": "::api", "reason": REASON}]}
        assert stack_judged(no_public_balancer(), *balancer(public=True), config=config) == []


class TestFirewallOnEveryServer:
    @pytest.mark.parametrize("ids", [[], None])
    def test_fail(self, ids: Any) -> None:
        [(report, urn)] = stack_judged(firewall_on_every_server(), node(firewallIds=ids))
        assert "cp has no firewall" in report
        assert urn.endswith("::cp")

    @pytest.mark.parametrize(
        "other",
        [
            Declared("x", objects.FIREWALL_ATTACHMENT, {"serverIds": [99]}, {}),
            Declared("x", objects.FIREWALL_ATTACHMENT, {"labelSelectors": ["clawstack.dev/role=worker"]}, {}),
            Declared("x", objects.FIREWALL_ATTACHMENT, {"labelSelectors": [""]}, {}),
            Declared("x", objects.FIREWALL_ATTACHMENT, {"labelSelectors": ["clawstack.dev/role!=worker"]}, {}),
            Declared("x", objects.FIREWALL, {"applyTos": [{"labelSelector": "unknown"}]}, {}),
        ],
    )
    def test_fail_when_a_firewall_guards_another(self, other: Declared) -> None:
        assert stack_judged(firewall_on_every_server(), node(firewallIds=[], id="42"), other)

    @pytest.mark.parametrize(
        "guard",
        [
            Declared("x", objects.FIREWALL_ATTACHMENT, {"serverIds": UNKNOWN}, {"serverIds": "cp"}),
            Declared("x", objects.FIREWALL_ATTACHMENT, {"serverIds": [42.0]}, {}),
            Declared("x", objects.FIREWALL_ATTACHMENT, {"labelSelectors": ["clawstack.dev/cluster"]}, {}),
            Declared("x", objects.FIREWALL, {"applyTos": [{"labelSelector": "clawstack.dev/role==control-plane"}]}, {}),
        ],
    )
    def test_pass(self, guard: Declared) -> None:
        assert stack_judged(firewall_on_every_server(), node(firewallIds=[], id="42"), guard) == []

    @pytest.mark.parametrize("address", ["ipv4Enabled", "ipv6Enabled"])
    def test_only_a_server_without_any_public_address_needs_none(self, address: str) -> None:
        private = {"ipv4Enabled": False, "ipv6Enabled": False}
        assert stack_judged(firewall_on_every_server(), node(firewallIds=[], publicNets=[private])) == []
        half = node(firewallIds=[], publicNets=[{**private, address: True}])
        assert stack_judged(firewall_on_every_server(), half)
        left_away = {name: value for name, value in private.items() if name != address}
        assert stack_judged(firewall_on_every_server(), node(firewallIds=[], publicNets=[left_away]))

    def test_pass_in_a_preview_where_the_firewall_has_no_identifier_yet(self) -> None:
        wall = Declared("wall", objects.FIREWALL, {"name": "wall"})
        guarded = node(firewallIds=UNKNOWN, links={"firewallIds": "wall"})
        assert stack_judged(firewall_on_every_server(), wall, guarded) == []
        assert stack_judged(firewall_on_every_server(), node()) == []

    def test_unknown(self) -> None:
        """In a preview, what was left away is as unknown as what comes from another resource; links tell them apart."""
        assert stack_judged(firewall_on_every_server(), node(firewallIds=UNKNOWN, publicNets=UNKNOWN))
        elsewhere = Declared("x", objects.FIREWALL_ATTACHMENT, {"serverIds": UNKNOWN}, {"serverIds": "other"})
        other = node("other", firewallIds=[7])
        assert stack_judged(firewall_on_every_server(), other, node(firewallIds=UNKNOWN, id=UNKNOWN), elsewhere)
        assert stack_judged(firewall_on_every_server(), node(firewallIds=[UNKNOWN])) == []
        selector = Declared("x", objects.FIREWALL_ATTACHMENT, {"labelSelectors": ["a=b"]}, {})
        with pytest.raises(UnknownValueError):
            stack_judged(firewall_on_every_server(), node(firewallIds=[], labels=UNKNOWN), selector)

    def test_exemption(self) -> None:
        assert stack_judged(firewall_on_every_server(), node(firewallIds=[]), config=EXEMPT_NODE) == []
        assert stack_judged(firewall_on_every_server(), node("other", firewallIds=[]), config=EXEMPT_NODE)


class TestPrivateNetwork:
    @pytest.mark.parametrize("labels", [server()["labels"], WORKER])
    def test_fail(self, labels: Any) -> None:
        [(report, _)] = stack_judged(private_network_for_nodes(), node(networks=[], labels=labels))
        assert "private network" in report
        elsewhere = Declared("link", objects.SERVER_NETWORK, {"serverId": 1, "networkId": 3})
        assert stack_judged(private_network_for_nodes(), node(networks=None, labels=labels), elsewhere)

    def test_pass(self) -> None:
        link = Declared("link", objects.SERVER_NETWORK, {"networkId": 3}, {"serverId": "cp"})
        assert stack_judged(private_network_for_nodes(), node()) == []
        assert stack_judged(private_network_for_nodes(), node(networks=[]), link) == []

    def test_a_server_that_is_no_node_needs_none(self) -> None:
        assert stack_judged(private_network_for_nodes(), node(networks=[], labels=CELL)) == []

    def test_unknown(self) -> None:
        assert stack_judged(private_network_for_nodes(), node(networks=UNKNOWN))
        linked = node(networks=UNKNOWN, links={"networks": "net"})
        assert stack_judged(private_network_for_nodes(), Declared("net", objects.NETWORK, {}), linked) == []
        with pytest.raises(UnknownValueError):
            stack_judged(private_network_for_nodes(), node(labels=UNKNOWN))

    def test_exemption(self) -> None:
        assert stack_judged(private_network_for_nodes(), node(networks=[]), config=EXEMPT_NODE) == []


class TestBackups:
    @pytest.mark.parametrize("backups", [False, None])
    def test_fail(self, backups: Any) -> None:
        [report] = judged(backups_for_control_planes(), objects.SERVER, server(backups=backups))
        assert "without backups" in report

    def test_pass(self) -> None:
        assert judged(backups_for_control_planes(), objects.SERVER, server()) == []
        assert judged(backups_for_control_planes(), objects.SERVER, server(backups=False, labels=WORKER)) == []
        assert judged(backups_for_control_planes(), STRANGER, {}) == []

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(backups_for_control_planes(), objects.SERVER, server(backups=UNKNOWN))

    def test_exemption(self) -> None:
        assert judged(backups_for_control_planes(), objects.SERVER, server(backups=False), config=EXEMPT) == []


class TestProtection:
    @pytest.mark.parametrize("protected", [False, None])
    def test_fail(self, protected: Any) -> None:
        props = volume(deleteProtection=protected)
        assert "can be deleted" in judged(data_protected(), objects.VOLUME, props)[0]
        assert judged(data_protected(), objects.VOLUME, props, project=CELL_PROJECT)

    @pytest.mark.parametrize(
        "type_",
        [objects.NETWORK, objects.LOAD_BALANCER, objects.PRIMARY_IP, objects.FLOATING_IP, objects.ZONE],
    )
    def test_fail_in_production(self, type_: str) -> None:
        assert judged(data_protected(), type_, {"name": "x"}, stack="prod")
        assert judged(data_protected(), type_, {"name": "x"}, stack="dev") == []
        assert judged(data_protected(), type_, {"name": "x"}, stack="eu", config={"productionStacks": ["eu"]})

    def test_pass(self) -> None:
        assert judged(data_protected(), objects.VOLUME, volume()) == []
        assert judged(data_protected(), objects.NETWORK, {"deleteProtection": True}, stack="prod") == []
        assert judged(data_protected(), objects.SERVER, server(), stack="prod") == []

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(data_protected(), objects.VOLUME, volume(deleteProtection=UNKNOWN))

    def test_exemption(self) -> None:
        assert judged(data_protected(), objects.VOLUME, volume(deleteProtection=False), config=EXEMPT) == []


class TestVolumesClosed:
    @pytest.mark.parametrize(
        ("type_", "props", "words"),
        [
            (objects.VOLUME, volume(automount=True), "every account"),
            (objects.VOLUME_ATTACHMENT, {"automount": True}, "every account"),
            (objects.VOLUME, volume(format="ext4"), "in the clear"),
        ],
    )
    def test_fail(self, type_: str, props: Any, words: str) -> None:
        [report] = judged(volumes_closed(), type_, props)
        assert words in report

    def test_pass(self) -> None:
        assert judged(volumes_closed(), objects.VOLUME, volume(automount=False)) == []
        plain = {key: value for key, value in volume(format="ext4").items() if key != "labels"}
        assert judged(volumes_closed(), objects.VOLUME, plain) == []  # the platform's own
        assert judged(volumes_closed(), objects.VOLUME, plain, project=CELL_PROJECT)

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(volumes_closed(), objects.VOLUME, volume(format=UNKNOWN))

    def test_exemption(self) -> None:
        assert judged(volumes_closed(), objects.VOLUME, volume(format="ext4"), config=EXEMPT) == []


class TestTypesAllowed:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"serverType": "ccx63"}, "allowed for the platform: cx23"),
            ({"serverType": None}, "no type"),
            ({"location": "ash"}, "placed in ash; allowed: fsn1, nbg1, hel1"),
            ({"location": None}, "names no location"),
            ({"location": None, "datacenter": "sin-dc1"}, "placed in sin"),
            ({"serverType": "ccx23", "labels": CELL}, "allowed for the plan business"),
            ({"labels": {**CELL, "clawstack.dev/plan": "starter"}}, "the plan starter: none"),
        ],
    )
    def test_fail(self, changes: Any, words: str) -> None:
        [report] = judged(types_allowed(), objects.SERVER, server(**changes))
        assert words in report
        assert "pack's configuration" in report

    def test_fail_for_other_things_in_far_places(self) -> None:
        assert "placed in hil" in judged(types_allowed(), objects.VOLUME, volume(location="hil"))[0]
        assert judged(types_allowed(), objects.FLOATING_IP, {"homeLocation": "sin"})

    def test_pass(self) -> None:
        assert judged(types_allowed(), objects.SERVER, server()) == []
        assert judged(types_allowed(), objects.SERVER, server(labels=CELL)) == []
        assert judged(types_allowed(), objects.SERVER, server(location=None, datacenter="fsn1-dc14")) == []
        assert judged(types_allowed(), objects.VOLUME, volume(location=None)) == []
        assert judged(types_allowed(), STRANGER, {"location": "ash"}) == []

    def test_the_configuration_decides(self) -> None:
        config = {"types": {"platform": ["ccx63"], "starter": ["cx23"]}, "locations": ["ash"]}
        far = server(serverType="ccx63", location="ash")
        assert judged(types_allowed(), objects.SERVER, far, config=config) == []
        starter = server(serverType="cx23", location="ash", labels={**CELL, "clawstack.dev/plan": "starter"})
        assert judged(types_allowed(), objects.SERVER, starter, config=config) == []
        assert judged(types_allowed(), objects.SERVER, server(), config=config)

    @pytest.mark.parametrize("name", ["serverType", "location"])
    def test_unknown(self, name: str) -> None:
        with pytest.raises(UnknownValueError):
            judged(types_allowed(), objects.SERVER, server(**{name: UNKNOWN}))

    def test_exemption(self) -> None:
        assert judged(types_allowed(), objects.SERVER, server(serverType="ccx63"), config=EXEMPT) == []


STRIPE_KEY = "sk_live_" + "a1B2c3D4e5F6"
CONFIG = f"#cloud-config\nwrite_files:\n- content: key={STRIPE_KEY}\n"


def packed(*, zipped: bool) -> str:
    content = f"key={STRIPE_KEY}\n".encode()
    text = base64.b64encode(gzip.compress(content) if zipped else content).decode()
    return f"#cloud-config\nwrite_files:\n- encoding: b64\n  content: {text}\n"


class TestUserData:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ("#cloud-config\n", "not marked secret"),
            (Secret(CONFIG), "carries a key or token"),
            (Secret(packed(zipped=False)), "carries a key or token"),
            (Secret(packed(zipped=True)), "carries a key or token"),
            (Secret(base64.b64encode(packed(zipped=True).encode()).decode()), "carries a key or token"),
            (Secret("x: clawpx_" + "a1B2c3D4e5F6_" + "x" * 43), "carries a key or token"),
            (Secret("-----BEGIN RSA PRIVATE KEY-----\nabc"), "carries a key or token"),
        ],
    )
    def test_fail(self, value: Any, words: str) -> None:
        [report] = judged(no_secret_in_user_data(), objects.SERVER, server(userData=value))
        assert words in report
        assert "pulumi.Output.secret" in report
        assert STRIPE_KEY not in report

    def test_fail_twice(self) -> None:
        assert len(judged(no_secret_in_user_data(), objects.SERVER, server(userData=CONFIG))) == 2

    @pytest.mark.parametrize(
        "value", [None, "", Secret(""), Secret("#cloud-config\ntoken: K10" + "ab12" * 16 + "::server:" + "cd34" * 8)]
    )
    def test_pass(self, value: Any) -> None:
        assert judged(no_secret_in_user_data(), objects.SERVER, server(userData=value)) == []

    def test_other_type(self) -> None:
        assert judged(no_secret_in_user_data(), STRANGER, {"userData": CONFIG}) == []

    @pytest.mark.parametrize("value", [UNKNOWN, Secret(UNKNOWN)])
    def test_unknown(self, value: Any) -> None:
        assert judged(no_secret_in_user_data(), objects.SERVER, server(userData=value)) == []

    def test_exemption(self) -> None:
        assert judged(no_secret_in_user_data(), objects.SERVER, server(userData=CONFIG), config=EXEMPT) == []

    def test_a_bomb_is_not_unpacked(self) -> None:
        bomb = base64.b64encode(gzip.compress(b"a" * 30_000_000)).decode()
        assert judged(no_secret_in_user_data(), objects.SERVER, server(userData=Secret(bomb))) == []


def labelled_types() -> list[str]:
    classes = [found for _, found in inspect.getmembers(pulumi_hcloud, inspect.isclass)]
    made = [found for found in classes if hasattr(found, "_internal_init")]
    return [found.pulumi_type for found in made if "labels" in inspect.signature(found._internal_init).parameters]


@pytest.mark.parametrize("type_", labelled_types())
def test_every_type_that_can_carry_labels_must(type_: str) -> None:
    assert labels_of(type_, {}) == {}
    assert judged(labels_required(), type_, {"labels": {}})


def test_the_types_are_those_of_the_sdk() -> None:
    known = {
        found.pulumi_type
        for _, found in inspect.getmembers(pulumi_hcloud, inspect.isclass)
        if hasattr(found, "pulumi_type")
    }
    ours = {value for value in vars(objects).values() if isinstance(value, str) and value.startswith("hcloud:")}
    assert len(ours) > 8
    assert ours <= known
