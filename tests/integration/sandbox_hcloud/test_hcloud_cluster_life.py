"""A cluster from nothing to nothing, by Hetzner's own client over a real socket."""

from typing import Any

import pytest
from hcloud import APIException, Client
from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer, ServerCreatePublicNetwork
from hcloud.zones import ZoneRecord

from tests.integration.sandbox_hcloud.process import Cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHAk+qwsxJTXvdHmTudMNqVh5g9BUVtBPcWPTHuTyDee pat"
LABELS = {"cluster": "test"}
FSN = Location(name="fsn1")
SELECTOR = FirewallResource("label_selector", label_selector=FirewallResourceLabelSelector("cluster=test"))


def waited(*actions: Any) -> None:
    for action in actions:
        action.wait_until_finished()


def make_network(client: Client) -> Any:
    network = client.networks.create("net", "10.0.0.0/16", labels=LABELS)
    waited(client.networks.add_subnet(network, NetworkSubnet("10.0.1.0/24", "cloud", "eu-central")))
    return client.networks.get_by_name("net")


def make_servers(client: Client, network: Any) -> list[BoundServer]:
    key = client.ssh_keys.create("pat", KEY, labels=LABELS)
    group = client.placement_groups.create("spread", "spread", labels=LABELS).placement_group
    made = [
        client.servers.create(
            f"cp-{number}",
            ServerType("cx33"),
            Image(name="debian-13"),
            ssh_keys=[key],
            networks=[network],
            placement_group=group,
            location=FSN,
            user_data=f"#cloud-config\nhostname: cp-{number}\n",
            labels={**LABELS, "role": "control-plane"},
        )
        for number in (1, 2, 3)
    ]
    for one in made:
        waited(one.action, *one.next_actions)
        assert one.root_password is None
    return client.servers.get_all(label_selector="cluster=test,role=control-plane")


def make_balancer(client: Client, network: Any) -> Any:
    service = LoadBalancerService("tcp", listen_port=6443, destination_port=6443, proxyprotocol=False)
    chosen = LoadBalancerTargetLabelSelector("role=control-plane")
    target = LoadBalancerTarget("label_selector", label_selector=chosen, use_private_ip=True)
    made = client.load_balancers.create(
        "api",
        LoadBalancerType("lb11"),
        location=FSN,
        network=network,
        services=[service],
        targets=[target],
        labels=LABELS,
    )
    waited(made.action)
    return client.load_balancers.get_by_name("api")


def test_a_cluster_lives_and_leaves_nothing_behind(cloud: Cloud):
    client = cloud.client
    network = make_network(client)
    rule = FirewallRule("in", "tcp", ["192.0.2.0/24"], port="6443", description="kube API")
    firewall = client.firewalls.create("cluster", [rule], labels=LABELS, resources=[SELECTOR])
    waited(*firewall.actions)
    servers = make_servers(client, network)
    assert [(one.name, one.status, one.private_net[0].ip) for one in servers] == [
        ("cp-1", "running", "10.0.1.1"),
        ("cp-2", "running", "10.0.1.2"),
        ("cp-3", "running", "10.0.1.3"),
    ]
    assert {one.public_net.firewalls[0].firewall.id for one in servers} == {firewall.firewall.id}
    assert servers[0].placement_group.servers == [one.id for one in servers]
    balancer = make_balancer(client, network)
    assert [one.server.id for one in balancer.targets[0].targets] == [one.id for one in servers]
    assert balancer.targets[0].targets[0].health_status[0].status == "healthy"
    volume = client.volumes.create(20, "state", server=servers[0], format="ext4", automount=True, labels=LABELS)
    waited(volume.action, *volume.next_actions)
    assert client.volumes.get_by_name("state").server.id == servers[0].id
    zone = client.zones.create(name="example.com", mode="primary", labels=LABELS)
    waited(zone.action)
    record = client.zones.create_rrset(
        zone.zone, name="api", type="A", records=[ZoneRecord(balancer.public_net.ipv4.ip)]
    )
    waited(record.action)
    assert client.zones.get_rrset(zone.zone, "api", "A").records[0].value == balancer.public_net.ipv4.ip
    assert "hostname: cp-2" in cloud.control("GET", "servers/cp-2")["server"]["user_data"]
    destroy(client)
    assert cloud.left == {}


def destroy(client: Client) -> None:
    """Everything with the label, in the order that the API demands."""
    waited(*(client.zones.delete(one).action for one in client.zones.get_all(label_selector="cluster=test")))
    waited(*(one.delete().action for one in client.load_balancers.get_all(label_selector="cluster=test")))
    for volume in client.volumes.get_all(label_selector="cluster=test"):
        waited(volume.detach())
        volume.delete()
    waited(*(one.delete() for one in client.servers.get_all(label_selector="cluster=test")))
    for firewall in client.firewalls.get_all(label_selector="cluster=test"):
        waited(*firewall.remove_from_resources([SELECTOR]))
        firewall.delete()
    for found in (client.networks, client.placement_groups, client.ssh_keys):
        for one in found.get_all(label_selector="cluster=test"):
            one.delete()


def test_a_server_is_stopped_resized_rebuilt_saved_and_made_again(cloud: Cloud):
    client = cloud.client
    made = client.servers.create("pet", ServerType("cx23"), Image(name="debian-13"), location=FSN)
    server = made.server
    waited(made.action, *made.next_actions)
    with pytest.raises(APIException) as caught:
        server.change_type(ServerType("cx33"), upgrade_disk=True)
    assert caught.value.code == "server_not_stopped"
    waited(server.shutdown())
    waited(server.change_type(ServerType("cx33"), upgrade_disk=False))
    server.reload()
    assert (server.server_type.name, server.primary_disk_size, server.status) == ("cx33", 40, "off")
    snapshot = server.create_image("before", labels={"tenant": "pat"})
    waited(snapshot.action)
    waited(server.rebuild(Image(name="ubuntu-24.04"), user_data="#cloud-config\n{}\n").action)
    server.reload()
    assert (server.image.name, server.status) == ("ubuntu-24.04", "running")
    waited(server.change_protection(delete=True, rebuild=True))
    with pytest.raises(APIException) as caught:
        server.delete()
    assert caught.value.code == "protected"
    waited(server.change_protection(delete=False, rebuild=False))
    waited(server.delete())
    again = client.servers.create("pet", ServerType("cx33"), Image(id=snapshot.image.id), location=FSN)
    waited(again.action, *again.next_actions)
    assert again.server.image.description == "before"
    waited(again.server.delete())
    snapshot.image.delete()
    assert cloud.left == {}


def test_private_servers_have_no_public_side(cloud: Cloud):
    client = cloud.client
    network = make_network(client)
    nothing = ServerCreatePublicNetwork(enable_ipv4=False, enable_ipv6=False)
    made = client.servers.create(
        "private", ServerType("cax11"), Image(name="debian-13"), networks=[network], public_net=nothing, location=FSN
    )
    assert made.server.public_net.ipv4 is None
    assert made.server.public_net.primary_ipv6 is None
    assert made.server.image.architecture == "arm"
    assert [one.ip for one in network.get_member_all()] == ["10.0.1.1"]


def test_the_address_of_a_server_survives_it(cloud: Cloud):
    client = cloud.client
    address = client.primary_ips.create("ipv4", "kept", location=FSN).primary_ip
    public = ServerCreatePublicNetwork(ipv4=address, enable_ipv6=False)
    made = client.servers.create("one", ServerType("cx23"), Image(name="debian-13"), public_net=public, location=FSN)
    waited(made.action, *made.next_actions)
    assert made.server.public_net.ipv4.ip == address.ip
    waited(made.server.delete())
    assert client.primary_ips.get_by_name("kept").assignee_id is None
    assert list(cloud.left) == ["primary_ips"]


def test_what_everybody_can_read(cloud: Cloud):
    client = cloud.client
    names = {one.name for one in client.server_types.get_all()}
    assert {"cx23", "cax11", "cpx22", "ccx13"} <= names
    assert client.locations.get_by_name("hel1").network_zone == "eu-central"
    assert client.load_balancer_types.get_by_name("lb21").max_targets == 75
    image = client.images.get_by_name_and_architecture("debian-13", "arm")
    assert image is not None
    assert client.images.get_by_id(image.id).architecture == "arm"
    assert client.isos.get_all(architecture=["x86"])[0].architecture == "x86"


def test_certificates(cloud: Cloud):
    client = cloud.client
    managed = client.certificates.create_managed("site", ["example.com"])
    waited(managed.action)
    assert client.certificates.get_by_name("site").status.issuance == "completed"
    cloud.order("action_error", match="create_certificate", code="ca_dns_validation_failed", message="no record")
    failed = client.certificates.create_managed("other", ["example.org"])
    cloud.control("POST", "settle")
    other = client.certificates.get_by_id(failed.certificate.id)
    assert other.status.issuance == "failed"
    waited(other.retry_issuance())
    assert client.certificates.get_by_name("other").status.issuance == "completed"
