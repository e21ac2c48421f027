"""Servers: what is refused, and what comes and goes with them."""

from typing import Any

import pytest

from sandbox.hcloud.model.config import Access
from tests.unit.sandbox_hcloud.lab import KEY, Lab

BODY = {"name": "web", "server_type": "cx23", "image": "debian-12", "location": "fsn1"}


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "under_score"}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"server_type": "cx1000"}, "server_type"),
        ({"server_type": None}, "server_type"),
        ({"image": None}, "image"),
        ({"image": "windows-95"}, "image"),
        ({"image": 114690389}, "image"),  # for arm
        ({"location": "moon"}, "location"),
        ({"server_type": "cax11", "location": "ash"}, "server_type"),
        ({"user_data": "x" * 32_769}, "user_data"),
        ({"labels": {"a b": "c"}}, "labels"),
        ({"networks": "net"}, "networks"),
        ({"public_net": {"enable_ipv4": False, "enable_ipv6": False}}, "networks"),
        ({"public_net": {"enable_ipv4": "no"}}, "enable_ipv4"),
    ],
)
def test_wrong_input_names_its_field_and_makes_nothing(lab: Lab, change: dict[str, Any], field: str):
    told = lab.ask("POST", "/servers", {**BODY, **change})
    assert told.body is not None
    error = told.body["error"]
    assert (told.status, error["code"], error["details"]["fields"][0]["name"]) == (422, "invalid_input", field)
    assert not lab.project.rows("servers")
    assert not lab.project.rows("primary_ips")


def test_a_name_is_unique_in_its_project_only(lab: Lab):
    lab.server("web")
    assert lab.refused("POST", "/servers", BODY) == (409, "uniqueness_error")
    lab.world.admit(Access(token="other", project="other"))
    assert lab.ask("POST", "/servers", BODY, token="other").status == 201
    assert len(lab.ok("GET", "/servers")["servers"]) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"networks": [1]}, "not_found"),
        ({"volumes": [1]}, "not_found"),
        ({"ssh_keys": ["nobody"]}, "not_found"),
        ({"placement_group": 1}, "not_found"),
        ({"firewalls": [{"firewall": 1}]}, "not_found"),
        ({"public_net": {"ipv4": 1}}, "not_found"),
    ],
)
def test_what_does_not_exist_is_not_found(lab: Lab, change: dict[str, Any], code: str):
    assert lab.refused("POST", "/servers", {**BODY, **change}) == (404, code)


def test_quota_sold_out_and_full_placement_group(lab: Lab):
    group = lab.ok("POST", "/placement_groups", {"name": "g", "type": "spread"})["placement_group"]["id"]
    for number in range(10):
        lab.server(f"n{number}", placement_group=group)
    assert lab.refused("POST", "/servers", {**BODY, "placement_group": group}) == (412, "placement_error")
    lab.world.sold_out.add(("cx23", "fsn1"))
    assert lab.refused("POST", "/servers", BODY) == (412, "resource_unavailable")
    lab.server("elsewhere", location="nbg1")
    lab.project.quotas["servers"] = 11
    lab.world.sold_out.clear()
    told = lab.ask("POST", "/servers", BODY)
    assert (told.status, (told.body or {})["error"]["details"]) == (403, {"limits": [{"name": "server_limit"}]})
    kinds = lab.ok("GET", "/server_types?name=cx23")["server_types"][0]["locations"]
    assert {one["name"]: one["available"] for one in kinds}["fsn1"] is True


def test_the_addresses_of_a_server_go_with_it_and_given_ones_stay(lab: Lab):
    given = lab.ok("POST", "/primary_ips", {"name": "mine", "type": "ipv4", "location": "fsn1"})["primary_ip"]
    server = lab.server(public_net={"ipv4": given["id"], "enable_ipv6": True})
    assert lab.show("servers", server)["public_net"]["ipv4"]["ip"] == given["ip"]
    assert len(lab.ok("GET", "/primary_ips")["primary_ips"]) == 2
    assert lab.refused("DELETE", f"/primary_ips/{given['id']}") == (422, "must_be_unassigned")
    lab.ok("DELETE", f"/servers/{server}")
    left = lab.ok("GET", "/primary_ips")["primary_ips"]
    assert [(one["id"], one["assignee_id"]) for one in left] == [(given["id"], None)]
    lab.ok("DELETE", f"/primary_ips/{given['id']}")


@pytest.mark.parametrize(
    ("address", "server", "code"),
    [
        ({"type": "ipv6", "location": "fsn1"}, {}, "primary_ip_version_mismatch"),
        ({"type": "ipv4", "location": "hel1"}, {}, "primary_ip_datacenter_mismatch"),
    ],
)
def test_an_address_must_fit(lab: Lab, address: dict[str, Any], server: dict[str, Any], code: str):
    made = lab.ok("POST", "/primary_ips", {"name": "mine", **address})["primary_ip"]["id"]
    assert lab.refused("POST", "/servers", {**BODY, **server, "public_net": {"ipv4": made}}) == (422, code)


def test_deleting_a_server_detaches_everything_and_leaves_no_trace(lab: Lab):
    network, volume = lab.network(), lab.volume()
    server = lab.server(networks=[network], volumes=[volume], labels={"role": "web"})
    target = {"type": "server", "server": {"id": server}, "use_private_ip": False}
    balancer = {"name": "lb", "load_balancer_type": "lb11", "location": "fsn1", "targets": [target]}
    number = lab.ok("POST", "/load_balancers", balancer)["load_balancer"]["id"]
    firewall = lab.ok("POST", "/firewalls", {"name": "f", "apply_to": [{"type": "server", "server": {"id": server}}]})
    backup = lab.ok("POST", f"/servers/{server}/actions/create_image", {"type": "snapshot"})["image"]["id"]
    assert lab.show("volumes", volume)["server"] == server
    assert lab.refused("DELETE", f"/networks/{network}") == (409, "service_error")
    assert lab.refused("DELETE", f"/firewalls/{firewall['firewall']['id']}") == (409, "resource_in_use")
    assert lab.refused("DELETE", f"/volumes/{volume}") == (409, "resource_in_use")
    lab.ok("DELETE", f"/servers/{server}")
    assert lab.show("volumes", volume)["server"] is None
    assert lab.show("load_balancers", number)["targets"] == []
    assert lab.show("images", backup)["created_from"]["id"] == server
    for path in (f"/networks/{network}", f"/firewalls/{firewall['firewall']['id']}", f"/volumes/{volume}"):
        lab.ok("DELETE", path)


def test_protection_holds_until_it_is_lifted(lab: Lab):
    server = lab.server()
    path = f"/servers/{server}/actions/change_protection"
    assert lab.refused("POST", path, {"delete": True}) == (422, "invalid_input")
    lab.ok("POST", path, {"delete": True, "rebuild": True})
    assert lab.refused("DELETE", f"/servers/{server}") == (403, "protected")
    assert lab.refused("POST", f"/servers/{server}/actions/rebuild", {"image": "debian-12"}) == (403, "protected")
    lab.ok("POST", path, {"delete": False, "rebuild": False})
    lab.ok("DELETE", f"/servers/{server}")


def test_power_type_and_disk(lab: Lab):
    server = lab.server()
    path = f"/servers/{server}/actions"
    assert lab.refused("POST", f"{path}/change_type", {"server_type": "cx33"}) == (422, "server_not_stopped")
    lab.ok("POST", f"{path}/poweroff")
    assert lab.show("servers", server)["status"] == "off"
    assert lab.refused("POST", f"{path}/change_type", {"server_type": "cax11"}) == (422, "invalid_server_type")
    lab.ok("POST", f"{path}/change_type", {"server_type": "cx33", "upgrade_disk": True})
    shown = lab.show("servers", server)
    assert (shown["server_type"]["name"], shown["primary_disk_size"], shown["status"]) == ("cx33", 80, "off")
    assert lab.refused("POST", f"{path}/change_type", {"server_type": "cx23"}) == (422, "invalid_server_type")
    lab.world.sold_out.add(("cx43", ""))
    assert lab.refused("POST", f"{path}/change_type", {"server_type": "cx43"}) == (412, "resource_unavailable")
    lab.ok("POST", f"{path}/poweron")
    assert lab.show("servers", server)["status"] == "running"


def test_a_server_without_any_network_may_be_made_off_and_attached_before_it_starts(lab: Lab):
    nothing = {"enable_ipv4": False, "enable_ipv6": False}
    server = lab.server(public_net=nothing, start_after_create=False)
    assert lab.show("servers", server)["status"] == "off"
    network = lab.network()
    lab.ok("POST", f"/servers/{server}/actions/attach_to_network", {"network": network, "ip": "10.0.1.7"})
    lab.ok("POST", f"/servers/{server}/actions/poweron")
    shown = lab.show("servers", server)
    assert (shown["status"], shown["private_net"][0]["ip"]) == ("running", "10.0.1.7")


def test_networks_of_a_server(lab: Lab):
    network, server = lab.network(), lab.server()
    path = f"/servers/{server}/actions"
    lab.ok("POST", f"{path}/attach_to_network", {"network": network, "ip": "10.0.1.9", "alias_ips": ["10.0.1.10"]})
    assert lab.refused("POST", f"{path}/attach_to_network", {"network": network}) == (422, "server_already_attached")
    other = lab.server("other")
    taken = {"network": network, "ip": "10.0.1.10"}
    assert lab.refused("POST", f"/servers/{other}/actions/attach_to_network", taken) == (422, "ip_not_available")
    twin = lab.ok("POST", "/networks", {"name": "twin", "ip_range": "10.0.0.0/16"})["network"]["id"]
    assert lab.refused("POST", f"{path}/attach_to_network", {"network": twin}) == (422, "networks_overlap")
    assert lab.refused("POST", f"/servers/{other}/actions/attach_to_network", {"network": twin}) == (
        422,
        "no_subnet_available",
    )
    lab.ok("POST", f"{path}/change_alias_ips", {"network": network, "alias_ips": ["10.0.1.10", "10.0.1.11"]})
    assert lab.show("servers", server)["private_net"][0]["alias_ips"] == ["10.0.1.10", "10.0.1.11"]
    assert lab.refused("POST", f"{path}/change_alias_ips", {"network": network, "alias_ips": ["10.0.1.9"]}) == (
        422,
        "ip_not_available",
    )
    members = lab.ok("GET", f"/networks/{network}/members")["members"]
    assert [(one["type"], one["ip"], one["subnet"]) for one in members] == [("server", "10.0.1.9", "10.0.1.0/24")]
    subnet = {"ip_range": "10.0.1.0/24"}
    assert lab.refused("POST", f"/networks/{network}/actions/delete_subnet", subnet) == (409, "service_error")
    lab.ok("POST", f"{path}/detach_from_network", {"network": network})
    lab.ok("POST", f"/networks/{network}/actions/delete_subnet", subnet)


def test_a_server_is_made_in_different_networks_that_do_not_overlap(lab: Lab):
    network = lab.network()
    assert lab.refused("POST", "/servers", {**BODY, "networks": [network, network]}) == (422, "invalid_input")
    twin = lab.network("twin")
    assert lab.refused("POST", "/servers", {**BODY, "networks": [network, twin]}) == (422, "networks_overlap")
    assert not lab.project.rows("servers")
    server = lab.server(networks=[network])
    assert lab.show("servers", server)["private_net"][0]["mac_address"] == "86:00:00:00:00:01"


def test_placement_group_needs_a_stopped_server(lab: Lab):
    group = lab.ok("POST", "/placement_groups", {"name": "g", "type": "spread"})["placement_group"]["id"]
    server = lab.server()
    path = f"/servers/{server}/actions"
    wish = {"placement_group": group}
    assert lab.refused("POST", f"{path}/add_to_placement_group", wish) == (422, "server_not_stopped")
    lab.ok("POST", f"{path}/poweroff")
    lab.ok("POST", f"{path}/add_to_placement_group", wish)
    assert lab.refused("DELETE", f"/placement_groups/{group}") == (409, "resource_in_use")
    lab.ok("POST", f"{path}/remove_from_placement_group")
    lab.ok("DELETE", f"/placement_groups/{group}")


def test_snapshots_and_backups(lab: Lab):
    server = lab.server()
    path = f"/servers/{server}/actions"
    assert lab.refused("POST", f"{path}/create_image", {"type": "backup"}) == (422, "invalid_input")
    lab.ok("POST", f"{path}/enable_backup")
    made = [lab.ok("POST", f"{path}/create_image", {"type": "backup"})["image"]["id"] for _ in range(8)]
    kept = [one["id"] for one in lab.ok("GET", "/images?type=backup")["images"]]
    assert kept == made[1:]  # seven are kept
    snapshot = lab.ok("POST", f"{path}/create_image", {"labels": {"tenant": "pat"}})["image"]
    assert lab.ok("GET", "/images?label_selector=tenant=pat")["images"][0]["id"] == snapshot["id"]
    lab.ok("DELETE", f"/servers/{server}")
    assert lab.ok("GET", "/images?type=backup")["images"] == []
    again = lab.server("again", image=snapshot["id"])
    assert lab.show("servers", again)["image"]["id"] == snapshot["id"]
    assert lab.refused(
        "POST", "/servers", {**BODY, "name": "arm", "server_type": "cax11", "image": snapshot["id"]}
    ) == (
        422,
        "invalid_input",
    )
    assert lab.refused("DELETE", "/images/114690387") == (403, "forbidden")


def test_reverse_names_belong_to_own_addresses(lab: Lab):
    server = lab.server()
    net = lab.show("servers", server)["public_net"]
    assert net["ipv4"]["dns_ptr"] == "static.1.0.18.198.clients.your-server.de"
    path = f"/servers/{server}/actions/change_dns_ptr"
    lab.ok("POST", path, {"ip": net["ipv4"]["ip"], "dns_ptr": "web.example.com"})
    lab.ok("POST", path, {"ip": "2001:db8:0:1::1", "dns_ptr": "six.example.com"})
    net = lab.show("servers", server)["public_net"]
    assert net["ipv4"]["dns_ptr"] == "web.example.com"
    assert net["ipv6"]["dns_ptr"] == [{"ip": "2001:db8:0:1::1", "dns_ptr": "six.example.com"}]
    assert lab.refused("POST", path, {"ip": "192.0.2.1", "dns_ptr": "x"}) == (404, "not_found")


def test_keys_are_told_by_fingerprint_and_refused_twice(lab: Lab):
    made = lab.ok("POST", "/ssh_keys", {"name": "pat", "public_key": KEY})["ssh_key"]
    assert made["fingerprint"] == "7a:22:aa:3b:5b:0d:f9:67:5d:89:15:78:9b:d9:55:0b"  # as ssh-keygen tells it
    same = {"name": "other", "public_key": KEY.replace("pat", "somebody else")}
    assert lab.refused("POST", "/ssh_keys", same) == (409, "uniqueness_error")
    assert lab.refused("POST", "/ssh_keys", {"name": "x", "public_key": "ssh-rsa nonsense"}) == (422, "invalid_input")
    answer = lab.ok("POST", "/servers", {**BODY, "ssh_keys": ["pat"]})
    assert answer["root_password"] is None
    assert lab.ok("POST", "/servers", {**BODY, "name": "b"})["root_password"]


def test_user_data_is_never_shown_by_the_api_but_kept(lab: Lab):
    server = lab.server(user_data="#cloud-config\nsecret: 1\n")
    assert "secret" not in str(lab.show("servers", server))
    assert lab.project.get("servers", server)["user_data"] == "#cloud-config\nsecret: 1\n"
