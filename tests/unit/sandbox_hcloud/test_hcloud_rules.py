"""Everything but servers: what is refused and why, and the API's own manners."""

from typing import Any

import pytest

from sandbox.hcloud.model.config import Access
from tests.unit.sandbox_hcloud.lab import Lab

RULE = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["10.0.0.0/8"]}
SERVICE = {"protocol": "tcp", "listen_port": 80, "destination_port": 8080}


@pytest.fixture
def lab() -> Lab:
    return Lab()


def balancer(lab: Lab, **more: Any) -> int:
    body = {"name": "lb", "load_balancer_type": "lb11", "location": "fsn1", **more}
    return int(lab.ok("POST", "/load_balancers", body)["load_balancer"]["id"])


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "up"},
        {"protocol": "http"},
        {"port": None},
        {"port": "0"},
        {"port": "90-80"},
        {"port": "70000"},
        {"port": "a"},
        {"protocol": "icmp"},  # with a port
        {"source_ips": []},
        {"source_ips": ["10.0.0.1/8"]},
        {"source_ips": ["10.0.0.0/8"] * 101},
        {"destination_ips": ["10.0.0.0/8"]},
    ],
)
def test_wrong_firewall_rules_are_refused(lab: Lab, change: dict[str, Any]):
    told = lab.ask("POST", "/firewalls", {"name": "f", "rules": [RULE, {**RULE, **change}]})
    assert told.body is not None
    assert told.body["error"]["code"] == "invalid_input"
    assert told.body["error"]["details"]["fields"][0]["name"].startswith("rules.1.")


def test_a_firewall_has_at_most_fifty_rules(lab: Lab):
    lab.ok("POST", "/firewalls", {"name": "full", "rules": [RULE] * 50})
    assert lab.refused("POST", "/firewalls", {"name": "f", "rules": [RULE] * 51}) == (422, "invalid_input")


def test_a_firewall_by_label_holds_for_servers_that_come_later(lab: Lab):
    chosen = {"type": "label_selector", "label_selector": {"selector": "role=cp"}}
    number = lab.ok("POST", "/firewalls", {"name": "f", "apply_to": [chosen]})["firewall"]["id"]
    server, other = lab.server("a", labels={"role": "cp"}), lab.server("b")
    assert [one["id"] for one in lab.show("servers", server)["public_net"]["firewalls"]] == [number]
    assert lab.show("servers", other)["public_net"]["firewalls"] == []
    shown = lab.show("firewalls", number)["applied_to"][0]
    assert shown["applied_to_resources"] == [{"type": "server", "server": {"id": server}}]
    by_name = {"remove_from": [{"type": "server", "server": {"id": server}}]}
    path = f"/firewalls/{number}/actions"
    assert lab.refused("POST", f"{path}/remove_from_resources", by_name) == (422, "firewall_managed_by_label_selector")
    assert lab.refused("POST", f"{path}/apply_to_resources", {"apply_to": [chosen]}) == (
        409,
        "firewall_already_applied",
    )
    lab.ok("POST", f"{path}/remove_from_resources", {"remove_from": [chosen]})
    lab.ok("DELETE", f"/firewalls/{number}")


def test_a_firewall_needs_a_public_server_and_a_server_takes_five(lab: Lab):
    private = lab.server("p", networks=[lab.network()], public_net={"enable_ipv4": False, "enable_ipv6": False})
    wish = {"name": "f", "apply_to": [{"type": "server", "server": {"id": private}}]}
    assert lab.refused("POST", "/firewalls", wish) == (422, "private_net_only_server")
    server = lab.server("s")
    to = [{"type": "server", "server": {"id": server}}]
    for number in range(5):
        lab.ok("POST", "/firewalls", {"name": f"f{number}", "apply_to": to})
    assert lab.refused("POST", "/firewalls", {"name": "f6", "apply_to": to}) == (403, "resource_limit_exceeded")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "v", "size": 9, "location": "fsn1"},
        {"name": "v", "size": 10241, "location": "fsn1"},
        {"name": "v", "size": "10", "location": "fsn1"},
        {"name": "v", "size": 10},
        {"name": "v", "size": 10, "location": "fsn1", "format": "ntfs"},
        {"name": "v", "size": 10, "location": "fsn1", "automount": True, "format": "ext4"},
    ],
)
def test_wrong_volumes_are_refused(lab: Lab, body: dict[str, Any]):
    assert lab.refused("POST", "/volumes", body) == (422, "invalid_input")


def test_volumes_grow_only_and_stay_in_their_location(lab: Lab):
    volume, server = lab.volume(size=20), lab.server(location="nbg1")
    path = f"/volumes/{volume}/actions"
    assert lab.refused("POST", f"{path}/resize", {"size": 20}) == (422, "invalid_input")
    lab.ok("POST", f"{path}/resize", {"size": 30})
    assert lab.show("volumes", volume)["size"] == 30
    assert lab.refused("POST", f"{path}/attach", {"server": server}) == (422, "invalid_input")
    assert lab.refused("POST", f"{path}/detach") == (422, "volume_not_attached")
    lab.project.quotas["volume_gigabytes"] = 40
    assert lab.refused("POST", f"{path}/resize", {"size": 41}) == (403, "resource_limit_exceeded")


def test_the_seventeenth_volume_is_refused(lab: Lab):
    server = lab.server()
    for number in range(16):
        lab.volume(f"v{number}", server=server)
    last = lab.volume("last")
    assert lab.refused("POST", f"/volumes/{last}/actions/attach", {"server": server}) == (403, "limit_exceeded_error")
    other = lab.server("other")
    lab.ok("POST", f"/volumes/{last}/actions/attach", {"server": other})
    again = {"server": server}
    assert lab.refused("POST", f"/volumes/{last}/actions/attach", again) == (409, "volume_already_attached")


def test_networks_hold_what_the_original_holds(lab: Lab):
    network = lab.network("net", "10.0.1.0/24")
    path = f"/networks/{network}/actions"
    lab.ok("POST", f"{path}/add_subnet", {"type": "cloud", "network_zone": "eu-central"})
    shown = lab.show("networks", network)
    assert [(one["ip_range"], one["gateway"]) for one in shown["subnets"]] == [
        ("10.0.1.0/24", "10.0.0.1"),
        ("10.0.0.0/24", "10.0.0.1"),
    ]
    route = {"destination": "0.0.0.0/0", "gateway": "10.0.1.2"}
    lab.ok("POST", f"{path}/add_route", route)
    assert lab.refused("POST", f"{path}/add_route", route) == (422, "invalid_input")
    lab.ok("POST", f"{path}/delete_route", route)
    assert lab.refused("POST", f"{path}/delete_route", route) == (404, "not_found")
    assert lab.refused("POST", f"{path}/change_ip_range", {"ip_range": "10.0.0.0/17"}) == (422, "invalid_input")
    lab.ok("POST", f"{path}/change_ip_range", {"ip_range": "10.0.0.0/8"})
    assert lab.show("networks", network)["ip_range"] == "10.0.0.0/8"
    lab.ok("POST", f"{path}/change_protection", {"delete": True})
    assert lab.refused("DELETE", f"/networks/{network}") == (403, "protected")


def test_load_balancer_services_get_the_originals_defaults(lab: Lab):
    number = balancer(lab, services=[SERVICE])
    service = lab.show("load_balancers", number)["services"][0]
    assert service["health_check"] == {"protocol": "tcp", "port": 8080, "interval": 15, "timeout": 10, "retries": 3}
    path = f"/load_balancers/{number}/actions"
    assert lab.refused("POST", f"{path}/add_service", SERVICE) == (422, "source_port_already_used")
    lab.ok("POST", f"{path}/add_service", {"protocol": "http", "listen_port": 8081})
    shown = lab.show("load_balancers", number)["services"][1]
    assert (shown["destination_port"], shown["http"]["cookie_name"]) == (80, "HCLBSTICKY")
    assert shown["health_check"]["http"]["status_codes"] == ["2??", "3??"]
    lab.ok("POST", f"{path}/update_service", {"listen_port": 8081, "destination_port": 9000})
    assert lab.show("load_balancers", number)["services"][1]["destination_port"] == 9000
    for port in (1, 2, 3):
        lab.ok("POST", f"{path}/add_service", {**SERVICE, "listen_port": port})
    assert lab.refused("POST", f"{path}/add_service", {**SERVICE, "listen_port": 4}) == (403, "resource_limit_exceeded")
    lab.ok("POST", f"{path}/change_type", {"load_balancer_type": "lb21"})
    lab.ok("POST", f"{path}/add_service", {**SERVICE, "listen_port": 4})
    assert lab.refused("POST", f"{path}/change_type", {"load_balancer_type": "lb11"}) == (
        422,
        "invalid_load_balancer_type",
    )
    assert lab.refused("POST", f"{path}/delete_service", {"listen_port": 5}) == (404, "not_found")


def test_load_balancer_targets(lab: Lab):
    network, number = lab.network(), balancer(lab)
    path = f"/load_balancers/{number}/actions"
    server = lab.server(labels={"role": "web"})
    target = {"type": "server", "server": {"id": server}, "use_private_ip": True}
    assert lab.refused("POST", f"{path}/add_target", target) == (422, "load_balancer_not_attached_to_network")
    lab.ok("POST", f"{path}/attach_to_network", {"network": network})
    assert lab.refused("POST", f"{path}/attach_to_network", {"network": network}) == (
        422,
        "load_balancer_already_attached",
    )
    assert lab.refused("POST", f"{path}/add_target", target) == (422, "server_not_attached_to_network")
    lab.ok("POST", f"/servers/{server}/actions/attach_to_network", {"network": network})
    lab.ok("POST", f"{path}/add_target", target)
    assert lab.refused("POST", f"{path}/add_target", target) == (422, "target_already_defined")
    chosen = {"type": "label_selector", "label_selector": {"selector": "role=web"}, "use_private_ip": True}
    lab.ok("POST", f"{path}/add_target", chosen)
    inner = lab.show("load_balancers", number)["targets"][1]["targets"]
    assert [one["server"]["id"] for one in inner] == [server]
    lab.ok("POST", f"{path}/disable_public_interface")
    assert lab.show("load_balancers", number)["public_net"]["enabled"] is False
    lab.ok("POST", f"{path}/remove_target", {"type": "server", "server": {"id": server}})
    assert lab.refused("POST", f"{path}/remove_target", {"type": "server", "server": {"id": server}}) == (
        404,
        "not_found",
    )
    assert lab.refused("DELETE", f"/networks/{network}") == (409, "service_error")


def test_load_balancer_targets_by_address_must_be_owned(lab: Lab):
    number, server = balancer(lab), lab.server()
    path = f"/load_balancers/{number}/actions/add_target"
    address = lab.show("servers", server)["public_net"]["ipv4"]["ip"]
    assert lab.refused("POST", path, {"type": "ip", "ip": {"ip": address}}) == (422, "cloud_resource_ip_not_allowed")
    assert lab.refused("POST", path, {"type": "ip", "ip": {"ip": "192.0.2.1"}}) == (422, "ip_not_owned")
    lab.world.owned_ips.add("192.0.2.1")
    lab.ok("POST", path, {"type": "ip", "ip": {"ip": "192.0.2.1"}})


def test_health_follows_the_server(lab: Lab):
    server = lab.server()
    number = balancer(lab, services=[SERVICE], targets=[{"type": "server", "server": {"id": server}}])
    assert lab.show("load_balancers", number)["targets"][0]["health_status"][0]["status"] == "healthy"
    lab.ok("POST", f"/servers/{server}/actions/poweroff")
    assert lab.show("load_balancers", number)["targets"][0]["health_status"][0]["status"] == "unhealthy"


def test_floating_ips_move_between_servers(lab: Lab):
    first, second = lab.server("a"), lab.server("b")
    made = lab.ok("POST", "/floating_ips", {"type": "ipv4", "server": first})["floating_ip"]["id"]
    assert lab.show("servers", first)["public_net"]["floating_ips"] == [made]
    lab.ok("POST", f"/floating_ips/{made}/actions/assign", {"server": second})
    assert lab.show("floating_ips", made)["server"] == second
    lab.ok("DELETE", f"/servers/{second}")
    assert lab.show("floating_ips", made)["server"] is None
    lab.ok("DELETE", f"/floating_ips/{made}")


def test_primary_ips_move_between_stopped_servers(lab: Lab):
    server = lab.server(public_net={"enable_ipv4": False})
    made = lab.ok("POST", "/primary_ips", {"name": "p", "type": "ipv4", "location": "fsn1"})["primary_ip"]["id"]
    assign = {"assignee_id": server, "assignee_type": "server"}
    assert lab.refused("POST", f"/primary_ips/{made}/actions/assign", assign) == (422, "server_not_stopped")
    lab.ok("POST", f"/servers/{server}/actions/poweroff")
    lab.ok("POST", f"/primary_ips/{made}/actions/assign", assign)
    other = lab.ok("POST", "/primary_ips", {"name": "q", "type": "ipv4", "location": "fsn1"})["primary_ip"]["id"]
    assert lab.refused("POST", f"/primary_ips/{other}/actions/assign", assign) == (422, "server_has_ipv4")
    lab.ok("POST", f"/primary_ips/{made}/actions/unassign")
    assert lab.show("servers", server)["public_net"]["ipv4"] is None


def test_a_token_opens_its_own_project_only_and_may_be_read_only(lab: Lab):
    lab.world.admit(Access(token="reader", read_only=True))
    lab.world.admit(Access(token="other", project="other"))
    server = lab.server()
    assert lab.ask("GET", f"/servers/{server}", token="reader").status == 200
    refused = lab.ask("DELETE", f"/servers/{server}", token="reader")
    assert (refused.status, (refused.body or {})["error"]["code"]) == (403, "token_readonly")
    assert lab.ask("GET", f"/servers/{server}", token="other").status == 404
    unknown = lab.ask("GET", "/servers", token="nobody")
    assert (unknown.status, (unknown.body or {})["error"]["code"]) == (401, "unauthorized")


def test_every_answer_tells_the_limit_and_an_empty_bucket_refuses(lab: Lab):
    assert lab.ask("GET", "/servers").headers["RateLimit-Remaining"] == "3599"
    assert lab.ask("GET", "/nowhere").headers["RateLimit-Remaining"] == "3598"
    lab.project.rate.set(lab.clock, limit=None, left=0.0, refill=None)
    told = lab.ask("GET", "/servers")
    assert (told.status, told.headers["RateLimit-Remaining"]) == (429, "0")
    lab.clock += 1
    assert lab.ask("GET", "/servers").status == 200


def test_wrong_paths_methods_and_bodies(lab: Lab):
    assert lab.refused("GET", "/nowhere") == (404, "not_found")
    assert lab.refused("GET", "/servers/abc") == (404, "not_found")
    assert lab.refused("DELETE", "/servers") == (405, "method_not_allowed")
    assert lab.refused("GET", "/servers?per_page=0") == (422, "invalid_input")
    assert lab.refused("GET", "/servers?sort=colour") == (422, "invalid_input")
    assert lab.refused("GET", "/servers?label_selector=a(b") == (422, "invalid_input")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("networks", {"name": "n", "ip_range": "10.9.0.0/16"}),
        ("firewalls", {"name": "n"}),
        ("placement_groups", {"name": "n", "type": "spread"}),
        ("load_balancers", {"name": "n", "load_balancer_type": "lb11", "location": "fsn1"}),
        ("volumes", {"name": "n", "size": 10, "location": "fsn1"}),
        ("primary_ips", {"name": "n", "type": "ipv4", "location": "fsn1"}),
        ("floating_ips", {"name": "n", "type": "ipv4", "home_location": "fsn1"}),
        ("zones", {"name": "n.example", "mode": "primary"}),
        ("certificates", {"name": "n", "type": "managed", "domain_names": ["n.example"]}),
    ],
)
def test_names_are_unique_labels_choose_and_quotas_hold_for_every_kind(lab: Lab, kind: str, body: dict[str, Any]):
    made = lab.ok("POST", f"/{kind}", {**body, "labels": {"a": "b"}})
    number = next(value["id"] for value in made.values() if isinstance(value, dict) and "created" in value)
    assert lab.refused("POST", f"/{kind}", body) == (409, "uniqueness_error")
    assert len(lab.ok("GET", f"/{kind}?label_selector=a=b")[kind]) == 1
    assert lab.ok("GET", f"/{kind}?label_selector=a!=b")[kind] == []
    assert lab.ok("GET", f"/{kind}?name=nobody")[kind] == []
    lab.ok("PUT", f"/{kind}/{number}", {"labels": {"c": "d"}})
    assert lab.ok("GET", f"/{kind}?label_selector=c%3Dd&name={body['name']}")[kind][0]["id"] == number
    lab.project.quotas[kind] = 1
    other = {**body, "name": f"other-{body['name']}"}
    assert lab.refused("POST", f"/{kind}", other) == (403, "resource_limit_exceeded")
    lab.ok("DELETE", f"/{kind}/{number}")
    assert lab.refused("GET", f"/{kind}/{number}") == (404, "not_found")
    assert not lab.project.rows(kind)


def test_lists_that_belong_to_everybody(lab: Lab):
    for kind in ("server_types", "load_balancer_types", "locations", "isos", "images"):
        rows = lab.ok("GET", f"/{kind}")[kind]
        key = kind.removesuffix("s")
        assert lab.ok("GET", f"/{kind}/{rows[0]['id']}")[key]["id"] == rows[0]["id"]
    assert lab.ok("GET", "/pricing")["pricing"]["currency"] == "EUR"
    arms = lab.ok("GET", "/images?name=debian-12&architecture=arm")["images"]
    assert [one["architecture"] for one in arms] == ["arm"]
    assert lab.ok("GET", "/images?name=debian-11")["images"] == []
    assert len(lab.ok("GET", "/images?name=debian-11&include_deprecated=true")["images"]) == 2


def test_datacenters_are_gone(lab: Lab):
    """docs.hetzner.cloud/changelog: the fields since 2026-07-01, the lists since 2026-10-01."""
    for path in ("/datacenters", "/datacenters/4"):
        assert lab.refused("GET", path) == (410, "deprecated_api_endpoint")
    body = {"name": "one", "server_type": "cx23", "image": "debian-13", "datacenter": "sin-dc1"}
    made = lab.ok("POST", "/servers", body)["server"]
    assert "datacenter" not in made
    assert made["location"]["name"] != "sin", "the field is not read any more"
    address = lab.ok("POST", "/primary_ips", {"name": "p", "type": "ipv4", "location": "fsn1"})["primary_ip"]
    assert "datacenter" not in address
    assert address["location"]["name"] == "fsn1"
    missing = {"name": "q", "type": "ipv4", "datacenter": "fsn1-dc14"}
    assert lab.refused("POST", "/primary_ips", missing) == (422, "invalid_input")
