"""Pages, selectors, limits and trouble, as Hetzner's own client meets them."""

import threading
import time
from pathlib import Path

import pytest
import requests
from hcloud import APIException
from hcloud.actions import ActionFailedException, ActionTimeoutException
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.zones import ZoneRecord

from tests.integration.sandbox_hcloud.process import Cloud, client_of, running
from tests.waiting import patient

FSN = Location(name="fsn1")
CX23, DEBIAN = ServerType("cx23"), Image(name="debian-13")


def test_120_objects_come_in_pages_and_none_twice(cloud: Cloud):
    cloud.control("POST", "quotas", {"quotas": {"volumes": 200}})
    for number in range(120):
        labels = {"parity": "odd" if number % 2 else "even", "third": str(number % 3)}
        cloud.client.volumes.create(10, f"v{number:03}", location=FSN, labels=labels)
    found = cloud.client.volumes.get_all()
    assert len({one.id for one in found}) == 120
    assert len([one for one in cloud.requests(method="GET", path="/volumes") if "page=" in one["query"]]) == 3
    page = cloud.client.volumes.get_list(page=5, per_page=25)
    assert len(page.volumes) == 20
    pagination = page.meta.pagination
    assert pagination is not None
    assert (pagination.total_entries, pagination.last_page, pagination.next_page) == (120, 5, None)
    for selector, count in [
        ("parity=odd", 60),
        ("parity==odd", 60),
        ("parity!=odd", 60),
        ("third in (0,1)", 80),
        ("third notin (0,1)", 40),
        ("parity=odd,third=0", 20),
        ("parity", 120),
        ("!parity", 0),
    ]:
        assert len(cloud.client.volumes.get_all(label_selector=selector)) == count, selector


def test_quota_sold_out_and_uniqueness(cloud: Cloud):
    cloud.control("POST", "quotas", {"quotas": {"servers": 1}})
    cloud.client.servers.create("a", CX23, DEBIAN, location=FSN)
    for name, code, status in [("a", "uniqueness_error", 409), ("b", "resource_limit_exceeded", 403)]:
        with pytest.raises(APIException) as caught:
            cloud.client.servers.create(name, CX23, DEBIAN, location=FSN)
        assert caught.value.code == code
        assert cloud.requests()[-1]["status"] == status
    cloud.control("POST", "quotas", {"quotas": {"servers": 9}})
    cloud.control("POST", "availability", {"server_type": "cx23", "location": "fsn1", "available": False})
    with pytest.raises(APIException, match="resource_unavailable"):
        cloud.client.servers.create("b", CX23, DEBIAN, location=FSN)
    cloud.control("POST", "availability", {"server_type": "cx23", "location": "fsn1", "available": True})
    cloud.client.servers.create("b", CX23, DEBIAN, location=FSN)


def test_invalid_input_names_the_field(cloud: Cloud):
    with pytest.raises(APIException) as caught:
        cloud.client.servers.create("not_a_host_name", CX23, DEBIAN, location=FSN)
    assert caught.value.code == "invalid_input"
    assert caught.value.details["fields"][0]["name"] == "name"
    assert caught.value.correlation_id


@pytest.mark.parametrize(
    ("content", "status", "code"), [(b"{", 400, "json_error"), (b"[]", 400, "json_error"), (b"", 422, "invalid_input")]
)
def test_a_body_that_is_no_object_is_refused(cloud: Cloud, content: bytes, status: int, code: str):
    url, headers = cloud.ready["hcloud_endpoint"], {"Authorization": f"Bearer {cloud.ready['hcloud_token']}"}
    answer = requests.post(f"{url}/networks", data=content, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_client_waits_out_the_rate_limit(cloud: Cloud):
    cloud.control("POST", "rate_limit", {"remaining": 1, "refill_per_second": 50})
    answer = requests.get(
        f"{cloud.ready['hcloud_endpoint']}/servers",
        headers={"Authorization": f"Bearer {cloud.ready['hcloud_token']}"},
        timeout=5,
    )
    assert answer.headers["RateLimit-Limit"] == "3600"
    assert int(answer.headers["RateLimit-Reset"]) > time.time() + 60
    cloud.control("POST", "rate_limit", {"remaining": 0, "refill_per_second": 1})
    assert cloud.client.servers.get_all() == []  # by its own patience
    assert [one["code"] for one in cloud.requests(path="/servers")].count("rate_limit_exceeded") >= 1


def test_conflicts_are_waited_out_and_locks_are_told(cloud: Cloud):
    client = cloud.client
    cloud.control("POST", "speed", {"seconds": 0.3})
    network = client.networks.create("net", "10.0.0.0/16")
    for number in (1, 2):
        client.networks.add_subnet(network, NetworkSubnet(f"10.0.{number}.0/24", "cloud", "eu-central"))
    assert "conflict" in [one["code"] for one in cloud.requests()]
    server = client.servers.create("a", CX23, DEBIAN, location=FSN).server
    with pytest.raises(APIException) as caught:
        server.power_off()
    assert caught.value.code == "locked"


def test_actions_fail_linger_and_never_end(cloud: Cloud):
    client = cloud.client
    cloud.order("action_error", match="create_server", code="resource_unavailable", message="no host")
    made = client.servers.create("failing", CX23, DEBIAN, location=FSN)
    with pytest.raises(ActionFailedException, match="no host"):
        made.action.wait_until_finished()
    assert client.servers.get_by_name("failing").status == "off"
    cloud.order("action_slow", match="create_server", seconds=0.5)
    began = time.monotonic()
    client.servers.create("slow", CX23, DEBIAN, location=FSN).action.wait_until_finished()
    assert time.monotonic() - began > 0.4
    cloud.order("action_stuck", match="create_server")
    stuck = client.servers.create("stuck", CX23, DEBIAN, location=FSN)
    with pytest.raises(ActionTimeoutException):
        stuck.action.wait_until_finished(max_retries=5)
    assert cloud.control("GET", "objects")["running_actions"] != []
    cloud.control("POST", "settle")
    stuck.action.wait_until_finished()


def test_a_cut_connection_before_or_after_the_effect(cloud: Cloud):
    cloud.order("reset", match="POST /networks$", skip=1)
    cloud.order("lost_answer", match="POST /networks$", skip=1)
    seen = []
    for number in range(4):
        try:
            cloud.client.networks.create(f"n{number}", "10.0.0.0/16")
            seen.append("made")
        except requests.ConnectionError:
            seen.append("cut")
    assert seen == ["made", "cut", "cut", "made"]
    assert [one["name"] for one in cloud.left["networks"]] == ["n0", "n2", "n3"]
    assert [one["status"] for one in cloud.requests(method="POST")] == [201, 0, 0, 201]


def test_errors_and_garbage_on_demand(cloud: Cloud):
    cloud.order("error", match="GET /servers$", code="maintenance", message="back soon")
    with pytest.raises(APIException, match="back soon"):
        cloud.client.servers.get_all()
    assert cloud.requests()[-1]["status"] == 503
    cloud.order("garbage", match="GET /servers$")
    assert cloud.client.servers.get_all() == []  # the client tries again after a 502


def test_slow_answers_end_by_the_clients_patience(cloud: Cloud):
    cloud.order("slow", match="GET /servers$", seconds=30)
    headers = {"Authorization": f"Bearer {cloud.ready['hcloud_token']}"}
    with pytest.raises(requests.Timeout):
        requests.get(f"{cloud.ready['hcloud_endpoint']}/servers", headers=headers, timeout=0.3)
    assert cloud.client.servers.get_all() == []


def test_projects_are_apart_and_readers_only_read(cloud: Cloud):
    cloud.control("POST", "projects", {"token": "other", "project": "other"})
    cloud.control("POST", "projects", {"token": "reader", "read_only": True})
    cloud.client.servers.create("mine", CX23, DEBIAN, location=FSN)
    with client_of(cloud.ready, "other") as other:
        assert other.servers.get_all() == []
    with client_of(cloud.ready, "reader") as reader:
        assert [one.name for one in reader.servers.get_all()] == ["mine"]
        with pytest.raises(APIException, match="token_readonly"):
            reader.ssh_keys.create("k", "x")
    with client_of(cloud.ready, "nobody") as nobody, pytest.raises(APIException, match="unauthorized"):
        nobody.servers.get_all()


def test_what_controllers_made_keeps_the_network_and_is_found(cloud: Cloud):
    client = cloud.client
    network = client.networks.create(
        "net", "10.0.0.0/16", subnets=[NetworkSubnet("10.0.1.0/24", "cloud", "eu-central")]
    )
    body = {"name": "ccm", "load_balancer_type": "lb11", "location": "fsn1", "network": network.id}
    cloud.control("POST", "foreign/load_balancers", {"body": body})
    cloud.control("POST", "foreign/volumes", {"body": {"name": "pvc-1", "size": 10, "location": "fsn1"}})
    node = {"name": "node-1", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    cloud.control("POST", "foreign/servers", {"body": node})
    with pytest.raises(APIException, match="servers are attached"):
        network.delete()
    found = client.load_balancers.get_all(label_selector="hcloud-ccm/service-uid")
    client.volumes.get_all(label_selector="managed-by=csi-driver")[0].delete()
    client.servers.get_all(label_selector="hcloud/node-group")[0].delete().wait_until_finished()
    found[0].delete().action.wait_until_finished()
    network.delete()
    assert cloud.left == {}


def test_drift_by_hand_is_seen(cloud: Cloud):
    server = cloud.client.servers.create("a", CX23, DEBIAN, location=FSN, labels={"a": "b"}).server
    cloud.control("POST", "settle")
    cloud.control("POST", f"change/servers/{server.id}", {"values": {"labels": {}, "status": "off"}})
    server.reload()
    assert (server.labels, server.status) == ({}, "off")
    cloud.control("POST", f"remove/servers/{server.id}")
    assert cloud.left == {}


def test_many_clients_at_once_get_different_addresses_and_ids(cloud: Cloud):
    network = cloud.client.networks.create(
        "net", "10.0.0.0/16", subnets=[NetworkSubnet("10.0.1.0/24", "cloud", "eu-central")]
    )

    def make(worker: int) -> None:
        with client_of(cloud.ready) as client:
            for number in range(5):
                client.servers.create(f"w{worker}-{number}", CX23, DEBIAN, location=FSN, networks=[network])

    workers = [threading.Thread(target=make, args=(worker,)) for worker in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(patient(30))
    servers = cloud.client.servers.get_all()
    assert len({one.id for one in servers}) == 30
    assert len({one.private_net[0].ip for one in servers}) == 30
    assert len({one.public_net.ipv4.ip for one in servers}) == 30


def test_state_survives_a_restart_with_running_actions(tmp_path: Path):
    arguments = ("--data", str(tmp_path / "data"), "--action-seconds", "2")
    with running(tmp_path, *arguments) as first:
        made = first.client.servers.create("kept", CX23, DEBIAN, location=FSN, user_data="#cloud-config\n")
        zone = first.client.zones.create(name="kept.example", mode="primary").zone
        first.client.zones.create_rrset(zone, name="a", type="TXT", records=[ZoneRecord('"b"')])
    with running(tmp_path, *arguments) as second:
        action = second.client.actions.get_by_id(made.action.id)
        action.wait_until_finished()
        server = second.client.servers.get_by_name("kept")
        assert (server.id, server.public_net.ipv4.ip) == (made.server.id, made.server.public_net.ipv4.ip)
        assert (
            second.client.zones.get_rrset(second.client.zones.get("kept.example"), "a", "TXT").records[0].value == '"b"'
        )
        other = second.client.servers.create("new", CX23, DEBIAN, location=FSN).server
        assert other.id == made.server.id + 1


def test_the_assembled_sandbox_serves_it_too(tmp_path: Path):
    with running(tmp_path, "--only", "hcloud", module="sandbox") as cloud:
        assert cloud.ready["hcloud_endpoint"] == f"{cloud.ready['root']}/hcloud/v1"
        cloud.client.ssh_keys.create(
            "pat", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHAk+qwsxJTXvdHmTudMNqVh5g9BUVtBPcWPTHuTyDee pat"
        )
        cloud.order("reset", match="GET /ssh_keys$")
        with pytest.raises(requests.ConnectionError):
            cloud.client.ssh_keys.get_all()
        assert list(cloud.left) == ["ssh_keys"]
