import pytest

from sandbox.hcloud.model.addresses import (
    check_subnet,
    chosen_address,
    default_name,
    free_subnet,
    private_range,
    public_address,
)
from sandbox.hcloud.model.errors import ApiError

NETWORK = {
    "ip_range": "10.0.0.0/16",
    "subnets": [
        {"ip_range": "10.0.0.0/24", "network_zone": "eu-central"},
        {"ip_range": "10.0.1.0/30", "network_zone": "eu-central"},
        {"ip_range": "10.0.9.0/24", "network_zone": "us-east"},
    ],
}


def code_of(call: object) -> str:
    assert callable(call)
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.code


def test_the_first_address_of_the_network_is_its_gateway_and_never_given():
    assert chosen_address(NETWORK, "eu-central", []) == "10.0.0.2"


def test_the_lowest_free_address_is_given_also_of_a_named_subnet():
    assert chosen_address(NETWORK, "eu-central", ["10.0.0.2", "10.0.0.4"]) == "10.0.0.3"
    assert chosen_address(NETWORK, "eu-central", [], ip_range="10.0.1.0/30") == "10.0.1.1"
    assert chosen_address(NETWORK, "us-east", []) == "10.0.9.1"


def test_a_wish_is_met_or_refused():
    assert chosen_address(NETWORK, "eu-central", [], wished="10.0.0.77") == "10.0.0.77"
    taken = ["10.0.0.77"]
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", taken, wished="10.0.0.77")) == "ip_not_available"
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", [], wished="10.0.0.1")) == "ip_not_available"
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", [], wished="10.0.0.255")) == "ip_not_available"
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", [], wished="10.0.5.5")) == "no_subnet_available"
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", [], wished="10.0.9.5")) == "no_subnet_available"
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", [], wished="nonsense")) == "invalid_input"


def test_a_full_or_absent_subnet_is_no_room():
    full = ["10.0.1.1", "10.0.1.2"]
    assert code_of(lambda: chosen_address(NETWORK, "eu-central", full, ip_range="10.0.1.0/30")) == "no_subnet_available"
    assert code_of(lambda: chosen_address(NETWORK, "ap-southeast", [])) == "no_subnet_available"


@pytest.mark.parametrize("text", ["8.8.8.0/24", "10.0.0.1/24", "fd00::/64", "x", None, "172.32.0.0/16"])
def test_only_private_ranges_are_networks(text: object):
    assert code_of(lambda: private_range(text)) == "invalid_input"


@pytest.mark.parametrize("text", ["10.0.0.128/25", "10.1.0.0/24", "10.0.2.0/31", "10.0.0.0/8"])
def test_a_subnet_lies_within_and_overlaps_nothing(text: str):
    assert code_of(lambda: check_subnet(private_range(text), NETWORK)) == "invalid_input"


def test_a_subnet_without_a_range_gets_the_first_free_one():
    assert str(free_subnet(NETWORK)) == "10.0.2.0/24"


def test_public_addresses_are_nobodys_and_differ():
    assert [public_address("ipv4", one) for one in (1, 2, 256)] == ["198.18.0.1", "198.18.0.2", "198.18.1.0"]
    assert [public_address("ipv6", one) for one in (1, 2)] == ["2001:db8:0:1::/64", "2001:db8:0:2::/64"]
    assert default_name("198.18.0.1") == "static.1.0.18.198.clients.your-server.de"
