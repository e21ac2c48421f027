import pytest

from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.resources.records import read, records
from tests.unit.sandbox_hcloud.lab import Lab

ZONE = {"name": "example.com", "mode": "primary"}


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize(
    ("record_type", "value", "valid"),
    [
        ("A", "192.0.2.1", True),
        ("A", "2001:db8::1", False),
        ("AAAA", "2001:db8::1", True),
        ("AAAA", "192.0.2.1", False),
        ("CNAME", "www.example.com.", True),
        ("CNAME", "not a host", False),
        ("MX", "10 mail.example.com.", True),
        ("MX", "mail.example.com.", False),
        ("SRV", "10 5 5060 sip.example.com.", True),
        ("SRV", "10 5 sip.example.com.", False),
        ("TXT", '"v=spf1 -all"', True),
        ("TXT", '"one" "two"', True),
        ("TXT", "v=spf1 -all", False),
        ("TXT", f'"{"x" * 256}"', False),
        ("CAA", '0 issue "letsencrypt.org"', True),
        ("CAA", "letsencrypt.org", False),
        ("NS", "helium.ns.hetzner.de.", True),
    ],
)
def test_a_value_fits_its_type(record_type: str, value: str, valid: bool):
    body = {"records": [{"value": value}]}
    if valid:
        assert records(body, record_type) == [{"value": value, "comment": ""}]
    else:
        with pytest.raises(ApiError, match="records"):
            records(body, record_type)


def test_a_zone_begins_with_its_nameservers_and_is_found_by_name(lab: Lab):
    zone = lab.ok(
        "POST", "/zones", {**ZONE, "rrsets": [{"name": "@", "type": "A", "records": [{"value": "192.0.2.1"}]}]}
    )
    rrsets = lab.ok("GET", "/zones/example.com/rrsets")["rrsets"]
    assert sorted(one["id"] for one in rrsets) == ["@/A", "@/NS", "@/SOA"]
    assert lab.ok("GET", "/zones/example.com")["zone"]["id"] == zone["zone"]["id"]
    assert zone["zone"]["record_count"] == 5
    assert zone["zone"]["authoritative_nameservers"]["assigned"][0].endswith(".")


@pytest.mark.parametrize("name", ["Example.com", "example", "example.com.", "-a.com", "", "a b.com"])
def test_a_zone_is_a_domain_in_lower_case(lab: Lab, name: str):
    assert lab.refused("POST", "/zones", {**ZONE, "name": name}) == (422, "invalid_input")


def test_a_refused_zone_leaves_nothing(lab: Lab):
    wrong = [{"name": "@", "type": "A", "records": [{"value": "nonsense"}]}]
    assert lab.refused("POST", "/zones", {**ZONE, "rrsets": wrong}) == (422, "invalid_input")
    assert not lab.project.rows("zones")
    assert not lab.project.rows("rrsets")


def test_records_come_change_and_go(lab: Lab):
    lab.ok("POST", "/zones", ZONE)
    base = "/zones/example.com/rrsets"
    body = {"name": "www", "type": "A", "ttl": 300, "records": [{"value": "192.0.2.1", "comment": "first"}]}
    lab.ok("POST", base, body)
    assert lab.refused("POST", base, body) == (409, "uniqueness_error")
    alias = {"name": "www", "type": "CNAME", "records": [{"value": "example.com."}]}
    assert lab.refused("POST", base, alias) == (422, "invalid_input")
    one = f"{base}/www/A"
    lab.ok("POST", f"{one}/actions/add_records", {"records": [{"value": "192.0.2.2"}]})
    assert lab.refused("POST", f"{one}/actions/add_records", {"records": [{"value": "192.0.2.2"}]}) == (
        409,
        "uniqueness_error",
    )
    lab.ok("POST", f"{one}/actions/update_records", {"records": [{"value": "192.0.2.2", "comment": "second"}]})
    assert [r["comment"] for r in lab.ok("GET", one)["rrset"]["records"]] == ["first", "second"]
    lab.ok("POST", f"{one}/actions/set_records", {"records": [{"value": "192.0.2.9"}]})
    lab.ok("POST", f"{one}/actions/change_ttl", {"ttl": None})
    assert lab.ok("GET", one)["rrset"]["ttl"] is None
    lab.ok("POST", f"{one}/actions/change_protection", {"change": True})
    assert lab.refused("DELETE", one) == (403, "protected")
    lab.ok("POST", f"{one}/actions/change_protection", {"change": False})
    lab.ok("POST", f"{one}/actions/remove_records", {"records": [{"value": "192.0.2.9"}]})
    assert lab.refused("GET", one) == (404, "not_found")
    lab.ok("POST", f"{base}/new/TXT/actions/add_records", {"records": [{"value": '"made by adding"'}]})
    assert lab.ok("GET", f"{base}?type=TXT")["rrsets"][0]["id"] == "new/TXT"


def test_a_deleted_zone_takes_its_records_along_and_protection_holds(lab: Lab):
    lab.ok("POST", "/zones", ZONE)
    lab.ok("POST", "/zones/example.com/actions/change_protection", {"delete": True})
    assert lab.refused("DELETE", "/zones/example.com") == (403, "protected")
    lab.ok("POST", "/zones/example.com/actions/change_protection", {"delete": False})
    lab.ok("DELETE", "/zones/example.com")
    assert not lab.project.rows("rrsets")


def test_a_zone_file_says_the_same_when_it_is_read_again(lab: Lab):
    lab.ok("POST", "/zones", ZONE)
    wish = {"name": "_acme-challenge", "type": "TXT", "ttl": 60, "records": [{"value": '"a; b"'}, {"value": '"c"'}]}
    lab.ok("POST", "/zones/example.com/rrsets", wish)
    text = lab.ok("GET", "/zones/example.com/zonefile")["zonefile"]
    again = {(one["name"], one["type"]): one for one in read(text)}
    assert again["_acme-challenge", "TXT"]["records"] == [{"value": '"a; b"'}, {"value": '"c"'}]
    lab.ok("POST", "/zones/example.com/actions/import_zonefile", {"zonefile": text})
    assert lab.ok("GET", "/zones/example.com/zonefile")["zonefile"] == text
    wrong = {"zonefile": "@ IN A nonsense"}
    assert lab.refused("POST", "/zones/example.com/actions/import_zonefile", wrong) == (422, "invalid_input")
    assert lab.ok("GET", "/zones/example.com/zonefile")["zonefile"] == text


def test_a_secondary_zone_has_primaries_and_no_records_of_its_own(lab: Lab):
    assert lab.refused("POST", "/zones", {"name": "b.example", "mode": "secondary"}) == (422, "invalid_input")
    primaries = [{"address": "192.0.2.53"}]
    lab.ok("POST", "/zones", {"name": "b.example", "mode": "secondary", "primary_nameservers": primaries})
    body = {"name": "www", "type": "A", "records": [{"value": "192.0.2.1"}]}
    assert lab.refused("POST", "/zones/b.example/rrsets", body) == (422, "unsupported_error")
