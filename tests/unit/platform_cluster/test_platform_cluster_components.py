"""Every component with mocked resources: parents, labels, secretness, order, and what is refused."""

from __future__ import annotations

import base64
from collections import Counter

import pulumi
import pulumi_hcloud as hcloud
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from clawstack.cluster.config import DataVolume
from clawstack.components.firewall import ClusterFirewallsArgs
from clawstack.components.nat import gateway_user_data
from clawstack.components.placement import PlacementGroups, PlacementGroupsArgs
from clawstack.components.volume import DataVolumes, DataVolumesArgs, VolumeAttachments, VolumeAttachmentsArgs
from clawstack.errors import InvalidInputError, PermanentError
from tests.mock_engine import run_program
from tests.unit.platform_cluster.examples import SECRET, Hetzner, declare, large_cluster, mock_id, raw_cluster

_UNLABELLED = {
    "NetworkSubnet", "NetworkRoute", "LoadBalancerNetwork", "LoadBalancerService", "LoadBalancerTarget", "VolumeAttachment",
}  # fmt: skip


@pytest.fixture(scope="module")
def large():
    return declare(large_cluster())


@pytest.fixture(scope="module")
def small():
    return declare(raw_cluster())


def _hetzner_resources(hetzner):
    return [made for made in hetzner.made if made.typ.startswith("hcloud:index/")]


def test_one_node_needs_this_and_no_more(small):
    hetzner, _, _ = small
    assert Counter(made.typ.rsplit(":", 1)[-1] for made in _hetzner_resources(hetzner)) == {
        "Network": 1, "NetworkSubnet": 2, "Firewall": 2, "PlacementGroup": 1, "SshKey": 1, "Server": 1,
    }  # fmt: skip


def test_no_resource_is_declared_twice_and_all_are_children_of_the_cluster(large):
    hetzner, urns, _ = large
    assert len(set(urns)) == len(urns)
    inside = [urn for urn in urns if "hcloud:index/" in urn]
    assert len(inside) == len(_hetzner_resources(hetzner)) > 30
    # The mock engine writes the nearest parent's type into a URN.
    assert all("::clawstack:cluster:" in urn and "$hcloud:index/" in urn for urn in inside), (
        "a resource has no component"
    )
    parts = [urn for urn in urns if "$clawstack:cluster:" in urn and "Stack$" not in urn]
    assert len(parts) == 13, parts
    assert all("::clawstack:cluster:Cluster$" in urn for urn in parts), "a component is not the cluster's"


def test_every_resource_that_can_carry_labels_says_whose_it_is(large):
    hetzner, _, _ = large
    for made in _hetzner_resources(hetzner):
        kind = made.typ.rsplit(":", 1)[-1]
        if kind in _UNLABELLED:
            continue
        labels = made.inputs["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "clawstack", made.name
        assert labels["clawstack.dev/cluster"] == "claw", made.name
        assert labels["clawstack.dev/role"], made.name


def test_the_firewall_opens_ssh_and_the_api_to_their_sources_only(large):
    hetzner, _, _ = large
    firewalls = hetzner.of_kind("Firewall")
    planes = {rule.get("port"): rule["sourceIps"] for rule in firewalls["claw-control-plane"]["rules"]}
    assert planes == {"22": ["203.0.113.0/24"], "6443": ["203.0.113.0/24"], None: ["203.0.113.0/24"]}
    nodes = {rule.get("port"): rule["sourceIps"] for rule in firewalls["claw-node"]["rules"]}
    assert "6443" not in nodes
    assert nodes["80"] == nodes["443"] == ["0.0.0.0/0"]
    for name, server in hetzner.of_kind("Server").items():
        public = server["publicNets"][0]["ipv4Enabled"]
        assert bool(server.get("firewallIds")) is public, f"{name}: a firewall for each public side, and for no other"


@pytest.mark.parametrize("range_", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "8000::/1"])
@pytest.mark.parametrize("which", ["ssh_sources", "api_sources"])
def test_the_firewall_itself_refuses_the_internet(which, range_):
    sources = {"ssh_sources": ["203.0.113.7/32"], "api_sources": ["203.0.113.7/32"], which: [range_]}
    with pytest.raises(InvalidInputError, match=r"the (whole )?internet") as caught:
        ClusterFirewallsArgs(**sources)
    assert range_ in caught.value.message


@pytest.mark.parametrize("which", ["ssh_sources", "api_sources"])
def test_the_firewall_itself_refuses_no_source_at_all(which):
    sources = {"ssh_sources": ["203.0.113.7/32"], "api_sources": ["203.0.113.7/32"], which: []}
    with pytest.raises(InvalidInputError, match=f"{which} is empty"):
        ClusterFirewallsArgs(**sources)


def test_placement_groups_are_spread_and_hold_ten_servers_at_most(large):
    hetzner, _, _ = large
    groups = hetzner.of_kind("PlacementGroup")
    assert {group["type"] for group in groups.values()} == {"spread"}
    assert set(groups) == {"claw-control-plane-1", "claw-cells-1", "claw-cells-2", "claw-data-1"}
    used = Counter(
        server["placementGroupId"] for server in hetzner.of_kind("Server").values() if "placementGroupId" in server
    )
    assert sum(used.values()) == 16
    assert max(used.values()) <= 10


def test_an_unknown_placement_group_is_refused_by_name():
    def program():
        groups = PlacementGroups("claw", PlacementGroupsArgs(groups=["web-1"]))
        with pytest.raises(PermanentError, match=r"no placement group 'web-2'; there are web-1"):
            groups.group_id("web-2")

    run_program(program, Hetzner(), project="clawstack", stack="test")


def test_a_volume_for_an_unknown_node_is_refused_by_name():
    def program():
        volumes = {"postgres": DataVolume(size_gb=10, node="data-9")}
        made = hcloud.Volume("made", size=10)
        with pytest.raises(PermanentError, match=r"'data-9'"):
            DataVolumes("claw", DataVolumesArgs(volumes=volumes, locations={}, protection=False))
        with pytest.raises(PermanentError, match=r"'data-9'"):
            VolumeAttachments("claw", VolumeAttachmentsArgs(volumes=volumes, made={"postgres": made}, servers={}))

    run_program(program, Hetzner(), project="clawstack", stack="test")


def test_volumes_lie_beside_their_server_and_are_protected(large):
    hetzner, _, _ = large
    volume = hetzner.of_kind("Volume")["claw-postgres"]
    assert (volume["size"], volume["location"], volume["deleteProtection"]) == (50, "nbg1", True)
    attachment = hetzner.of_kind("VolumeAttachment")["claw-postgres"]
    assert int(attachment["serverId"]) == mock_id("claw-data-1")
    assert not attachment.get("automount"), "Hetzner's automount lays the volume open"
    mounts = yaml.safe_load(hetzner.of_kind("Server")["claw-data-1"]["userData"]["value"])["mounts"]
    assert [mount[:3] for mount in mounts] == [
        [f"/dev/disk/by-id/scsi-0HC_Volume_{mock_id('claw-postgres')}", "/var/lib/clawstack/volumes/postgres", "ext4"]
    ]


def test_the_api_balancer_is_private_and_finds_control_planes_by_label(large):
    hetzner, _, _ = large
    interface = hetzner.of_kind("LoadBalancerNetwork")["claw-api-interface"]
    assert interface["enablePublicInterface"] is False
    assert interface["ip"] == "10.0.0.3"
    target = hetzner.of_kind("LoadBalancerTarget")["claw-api-targets"]
    assert target["usePrivateIp"] is True
    # Written out, because a changed text replaces the target.
    assert target["labelSelector"] == (
        "app.kubernetes.io/managed-by=clawstack,clawstack.dev/cluster=claw,clawstack.dev/role=control-plane"
    )
    wanted = dict(part.split("=") for part in target["labelSelector"].split(","))
    planes = [
        server["labels"] for server in hetzner.of_kind("Server").values() if wanted.items() <= server["labels"].items()
    ]
    assert len(planes) == 3
    assert {labels["clawstack.dev/role"] for labels in planes} == {"control-plane"}
    service = hetzner.of_kind("LoadBalancerService")["claw-api-service"]
    assert (service["listenPort"], service["destinationPort"], service["protocol"]) == (6443, 6443, "tcp")


def test_private_nodes_go_out_through_the_gateway(large):
    hetzner, _, _ = large
    assert hetzner.of_kind("NetworkRoute")["claw-way-out"]["gateway"] == "10.0.0.2"
    servers = hetzner.of_kind("Server")
    assert servers["claw-nat"]["networks"][0]["ip"] == "10.0.0.2"
    assert servers["claw-cells-1"]["publicNets"] == [{"ipv4Enabled": False, "ipv6Enabled": False}]
    boot = yaml.safe_load(servers["claw-cells-1"]["userData"]["value"])["bootcmd"]
    assert "via 10.0.0.1" in boot[0][2]
    public = yaml.safe_load(servers["claw-data-1"]["userData"]["value"])
    assert "bootcmd" not in public


def test_the_gateway_forwards_only_what_comes_from_the_network():
    files = {each["path"]: each["content"] for each in yaml.safe_load(gateway_user_data("10.7.0.0/16"))["write_files"]}
    assert "ip saddr 10.7.0.0/16 ip daddr != 10.7.0.0/16 masquerade" in files["/etc/nftables.conf"]
    assert "policy drop" in files["/etc/nftables.conf"]
    assert files["/etc/sysctl.d/90-forward.conf"] == "net.ipv4.ip_forward = 1\n"


def test_records_lead_to_the_control_planes(large):
    hetzner, _, _ = large
    sets = hetzner.of_kind("ZoneRrset")
    public = {server["name"] for server in hetzner.of_kind("Server").values()}
    assert {"claw-control-plane-1", "claw-control-plane-2", "claw-control-plane-3"} <= public
    assert len(sets["claw-record-api"]["records"]) == 3
    assert sets["claw-record-api"]["name"] == "k8s"
    assert sets["claw-record-mail"]["records"] == [{"value": "10 mail.claw.example."}]
    assert hetzner.of_kind("Zone")["claw-zone"]["name"] == "claw.example"


def test_user_data_is_secret_and_only_the_first_control_plane_gets_authorities(large):
    hetzner, _, _ = large
    for name, server in hetzner.of_kind("Server").items():
        if name == "claw-nat":
            assert "token" not in server["userData"]["value"]
            continue
        assert server["userData"].get(SECRET), f"{name}: user data is not secret in state"
        text = server["userData"]["value"]
        assert text.startswith("#cloud-config\n")
        assert len(text.encode()) <= 32 * 1024
        assert ("client-ca.der" in text) == (name == "claw-control-plane-1"), name
        assert ("clawservertoken" in text) == ("control-plane" in name), (
            f"{name}: a worker must not hold the server token"
        )


def test_tokens_and_kubeconfig_are_secret(large):
    _, _, seen = large
    assert seen["kubeconfig_is_secret"]


def test_the_kubeconfig_is_signed_by_the_authority_that_the_first_node_gets(large):
    hetzner, _, seen = large
    document = yaml.safe_load(seen["kubeconfig"])
    assert document["current-context"] == "claw"
    assert [each["name"] for each in document["clusters"]] == ["claw", "claw-2", "claw-3"]
    servers = [each["cluster"]["server"] for each in document["clusters"]]
    assert servers == [f"https://{seen['addresses'][f'control-plane-{n}']['public']}:6443" for n in (1, 2, 3)]
    first = yaml.safe_load(hetzner.of_kind("Server")["claw-control-plane-1"]["userData"]["value"])
    files = {each["path"]: each["content"] for each in first["write_files"]}
    folder = "/var/lib/rancher/k3s/server/tls"
    given = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    assert given == files[f"{folder}/server-ca.crt"]
    client = x509.load_pem_x509_certificate(base64.b64decode(document["users"][0]["user"]["client-certificate-data"]))
    authority = x509.load_pem_x509_certificate(files[f"{folder}/client-ca.crt"].encode())
    client.verify_directly_issued_by(authority)
    assert isinstance(authority.public_key(), ec.EllipticCurvePublicKey)


def test_addresses_are_put_out_private_and_public(large):
    _, _, seen = large
    assert seen["addresses"]["control-plane-2"]["private"] == "10.0.1.12"
    assert "public" in seen["addresses"]["control-plane-2"]
    assert "public" not in seen["addresses"]["cells-1"]
    assert len(seen["addresses"]) == 16


def test_control_planes_are_backed_up(large):
    hetzner, _, _ = large
    saved = {name for name, server in hetzner.of_kind("Server").items() if server.get("backups")}
    assert saved == {f"claw-control-plane-{number}" for number in (1, 2, 3)}


def test_protection_reaches_hetzner(large, small):
    for (hetzner, _, _), wanted in ((large, True), (small, False)):
        assert hetzner.of_kind("Network")["claw-network"]["deleteProtection"] is wanted
        for name, server in hetzner.of_kind("Server").items():
            locked = wanted and "control-plane" in name
            assert bool(server.get("deleteProtection")) is locked, (
                f"{name}: only control planes, or no pool could shrink"
            )
            assert bool(server.get("rebuildProtection")) is locked, name


def test_an_unmodelled_look_up_fails_the_test():
    with pytest.raises(AssertionError, match="unexpected look-up"):
        Hetzner().call(pulumi.runtime.MockCallArgs(token="hcloud:index/getServer:getServer", args={}, provider=""))
