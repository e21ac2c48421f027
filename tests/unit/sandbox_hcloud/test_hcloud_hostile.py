"""Whatever a client sends, the answer is one of the API's own: no crash, no half-made thing that breaks later lists."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.hcloud.routes import ROUTES
from tests.unit.sandbox_hcloud.lab import Lab

KINDS = (
    *("servers", "networks", "firewalls", "placement_groups", "load_balancers", "volumes", "ssh_keys"),
    *("primary_ips", "floating_ips", "images", "certificates", "zones"),
)
FIELDS = (
    *("name", "labels", "type", "size", "location", "server", "network", "ip", "ip_range", "alias_ips", "subnets"),
    *("routes", "rules", "apply_to", "remove_from", "services", "targets", "public_net", "networks", "volumes"),
    *("firewalls", "ssh_keys", "placement_group", "user_data", "image", "server_type", "load_balancer_type"),
    *("algorithm", "protocol", "listen_port", "destination_port", "http", "health_check", "records", "ttl", "mode"),
    *("rrsets", "zonefile", "primary_nameservers", "destination", "gateway", "delete", "rebuild", "dns_ptr", "format"),
    *("automount", "assignee_id", "assignee_type", "label_selector", "selector", "domain_names", "certificate"),
    *("private_key", "public_key", "iso", "description", "upgrade_disk", "network_zone", "home_location", "change"),
    *("certificates", "direction", "port", "source_ips", "value", "id", "firewall", "enable_ipv4", "ipv4"),
)
GOOD: dict[str, Any] = {
    "name": "thing",
    "type": "server",
    "size": 10,
    "location": "fsn1",
    "ip_range": "10.0.0.0/16",
    "server_type": "cx23",
    "image": "debian-12",
    "load_balancer_type": "lb11",
    "protocol": "http",
    "network_zone": "eu-central",
    "listen_port": 80,
    "mode": "primary",
}
ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-1, 2**40),
        st.sampled_from(["", "x", "10.0.0.0/24", "10.0.1.1", "tcp", "server", "label_selector", "ip", "fsn1", "é"]),
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=5,
)
CHANGES = sorted({(method, path) for method, path, _ in ROUTES if method in {"POST", "PUT"}})


def populated() -> Lab:
    """One of most kinds, so that paths find something."""
    lab = Lab()
    network = lab.network()
    server = lab.server(networks=[network])
    lab.volume(server=server)
    lab.ok("POST", f"/servers/{server}/actions/create_image", {})
    lab.ok("POST", "/firewalls", {"name": "f"})
    lab.ok("POST", "/placement_groups", {"name": "g", "type": "spread"})
    service = {"protocol": "tcp", "listen_port": 80, "destination_port": 80}
    balancer = {"name": "lb", "load_balancer_type": "lb11", "location": "fsn1", "network": network}
    lab.ok("POST", "/load_balancers", {**balancer, "services": [service]})
    lab.ok("POST", "/floating_ips", {"type": "ipv4", "home_location": "fsn1"})
    lab.ok("POST", "/zones", {"name": "example.com", "mode": "primary"})
    return lab


def filled(lab: Lab, path: str) -> str:
    kind = path.split("/")[1]
    rows = list(lab.project.rows(kind))
    number = rows[0]["id"] if rows else 1
    return path.replace("{id}", str(number)).replace("{name}", "@").replace("{type}", "NS")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    route=st.sampled_from(CHANGES),
    body=st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=5),
    keep=st.sets(st.sampled_from(sorted(GOOD))),
)
def test_no_body_breaks_the_api(route: tuple[str, str], body: dict[str, Any], keep: set[str]):
    lab = populated()
    method, path = route
    told = lab.ask(method, filled(lab, path), {**{name: GOOD[name] for name in keep}, **body})
    assert told.status < 500
    for kind in KINDS:
        lab.ok("GET", f"/{kind}")
