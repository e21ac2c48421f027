"""The price list can be taken from Hetzner's API, and what comes is a price list."""

from __future__ import annotations

from clawstack.cluster.cost import estimate_cost
from clawstack.cluster.offers import load_offers
from clawstack.cluster.reading import parse_cluster
from tests.unit.platform_cluster.examples import raw_cluster


def test_prices_of_today_come_from_the_api(at_root):
    printed = at_root.tool("refresh_offers")
    assert printed.returncode == 0, printed.stderr
    offers = load_offers(printed.stdout)
    assert {"fsn1", "ash", "sin"} <= set(offers.locations)
    assert offers.server_types["cax21"].arch.value == "arm"
    assert "cx22" not in offers.server_types, "a type that is sold no more"
    assert "cx33" in offers.types_at("fsn1")
    assert "cx33" not in offers.types_at("ash"), "a type is listed where it is not sold"
    assert estimate_cost(parse_cluster(raw_cluster()), offers).total() > 0


def test_without_a_token_the_price_list_stays(at_root):
    environment = {name: value for name, value in at_root.environment.items() if name != "CLAWSTACK_HCLOUD_TOKEN"}
    told = type(at_root)(project=at_root.project, environment=environment).tool("refresh_offers")
    assert (told.returncode, told.stdout) == (2, "")
    assert "CLAWSTACK_HCLOUD_TOKEN is not set" in told.stderr
