from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.sandbox_hcloud.lab import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def certificate_for(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("example.com"), x509.DNSName("*.example.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=90))
    return (
        builder.add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )


def test_an_uploaded_certificate_is_read_and_its_key_must_fit(lab: Lab):
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    body = {"name": "site", "type": "uploaded", "certificate": certificate_for(key)}
    assert lab.refused("POST", "/certificates", {**body, "private_key": key_pem(other)}) == (422, "invalid_input")
    assert lab.refused("POST", "/certificates", {**body, "private_key": "nonsense"}) == (422, "invalid_input")
    made = lab.ok("POST", "/certificates", {**body, "private_key": key_pem(key)})["certificate"]
    assert made["domain_names"] == ["example.com", "*.example.com"]
    assert made["not_valid_after"] == "2026-04-01T00:00:00+00:00"
    assert "private_key" not in made


def test_a_certificate_in_use_stays(lab: Lab):
    managed = {"name": "m", "type": "managed", "domain_names": ["example.com"]}
    number = lab.ok("POST", "/certificates", managed)["certificate"]["id"]
    body = {"name": "lb", "load_balancer_type": "lb11", "location": "fsn1"}
    bare = {"protocol": "https", "listen_port": 443}
    assert lab.refused("POST", "/load_balancers", {**body, "services": [bare]}) == (422, "invalid_input")
    unknown = {**bare, "http": {"certificates": [1]}}
    assert lab.refused("POST", "/load_balancers", {**body, "services": [unknown]}) == (404, "not_found")
    service = {**bare, "http": {"certificates": [number]}}
    balancer = lab.ok("POST", "/load_balancers", {**body, "services": [service]})["load_balancer"]
    assert lab.show("certificates", number)["used_by"] == [{"id": balancer["id"], "type": "load_balancer"}]
    assert lab.refused("DELETE", f"/certificates/{number}") == (409, "resource_in_use")
    lab.ok("DELETE", f"/load_balancers/{balancer['id']}")
    lab.ok("DELETE", f"/certificates/{number}")


def test_reverse_names_of_load_balancers_with_own_and_with_given_addresses(lab: Lab):
    given = lab.ok("POST", "/primary_ips", {"name": "p", "type": "ipv4", "location": "fsn1"})["primary_ip"]
    body = {"name": "lb", "load_balancer_type": "lb11", "location": "fsn1", "public_net": {"ipv4": given["id"]}}
    number = lab.ok("POST", "/load_balancers", body)["load_balancer"]["id"]
    net = lab.show("load_balancers", number)["public_net"]
    assert (net["ipv4"]["ip"], net["ipv4"]["id"]) == (given["ip"], given["id"])
    path = f"/load_balancers/{number}/actions/change_dns_ptr"
    for version in ("ipv4", "ipv6"):
        lab.ok("POST", path, {"ip": net[version]["ip"], "dns_ptr": f"{version}.example"})
        assert lab.show("load_balancers", number)["public_net"][version]["dns_ptr"] == f"{version}.example"
    assert lab.refused("POST", path, {"ip": "192.0.2.1", "dns_ptr": "x"}) == (404, "not_found")
    lab.ok("DELETE", f"/load_balancers/{number}")
    assert lab.show("primary_ips", given["id"])["assignee_id"] is None
