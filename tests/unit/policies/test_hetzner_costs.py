"""The ceiling of a stack's monthly cost, from the price list that the cluster's own cost model reads."""

from __future__ import annotations

import pytest
from pulumi_policy.proxy import UnknownValueError

from clawstack.cluster.offers import load_offers
from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.allowance import _FOR_CELLS, _FOR_PLATFORM
from clawstack_policies.hetzner.costs import cost_ceiling, offers
from tests.unit.policies.hetzner_resources import CELL, CELL_PROJECT, REASON, Declared, node, stack_judged, volume

LISTED = load_offers()


def ceiling(euros: float) -> dict[str, float]:
    return {"platformMonthly": euros, "cellMonthly": euros}


def cost_of(*declared: Declared) -> float:
    """What the rule reckons, found by the ceiling that it reports."""
    [(report, _)] = stack_judged(cost_ceiling(), *declared, config=ceiling(0.001))
    return float(report.removeprefix("The stack costs ").split(" ", 1)[0])


def test_fail_names_sum_and_excess() -> None:
    nodes = [node(f"n{number}", serverType="cx53") for number in range(40)]
    [(report, urn)] = stack_judged(cost_ceiling(), *nodes)
    single = float(LISTED.price("cx53", "fsn1")) * 1.2 + float(LISTED.ipv4_monthly)
    assert f"costs {single * 40:.2f} EUR a month, {single * 40 - 400:.2f} more" in report
    assert "platformMonthly" in report
    assert "::n" in urn


def test_the_dearest_is_blamed_and_can_be_exempted() -> None:
    declared = [node("small", serverType="cx23"), node("big", serverType="ccx33")]
    [(_, urn)] = stack_judged(cost_ceiling(), *declared, config=ceiling(10))
    assert urn.endswith("::big")
    config = {**ceiling(10), "exemptions": [{"resource": "::big", "reason": REASON}]}
    assert stack_judged(cost_ceiling(), *declared, config=config) == []


@pytest.mark.parametrize(
    ("declared", "euros"),
    [
        (node(backups=False), float(LISTED.price("cx33", "fsn1")) + 0.5),
        (node(backups=False, publicNets=[]), float(LISTED.price("cx33", "fsn1")) + 0.5),
        (node(backups=True), float(LISTED.price("cx33", "fsn1")) * 1.2 + 0.5),
        (node(backups=False, publicNets=[{"ipv4Enabled": False}]), float(LISTED.price("cx33", "fsn1"))),
        (node(backups=False, publicNets=[{"ipv4": 12}]), float(LISTED.price("cx33", "fsn1"))),
        (Declared("v", objects.VOLUME, volume(size=100)), 4.4),
        (Declared("lb", objects.LOAD_BALANCER, {"loadBalancerType": "lb11"}), 5.39),
        (Declared("ip", objects.PRIMARY_IP, {"type": "ipv4"}), 0.5),
    ],
)
def test_what_things_cost(declared: Declared, euros: float) -> None:
    assert cost_of(declared) == pytest.approx(euros, abs=0.006)


def test_pass() -> None:
    assert stack_judged(cost_ceiling(), *[node(f"n{number}") for number in range(6)]) == []
    assert stack_judged(cost_ceiling(), Declared("ip", objects.PRIMARY_IP, {"type": "ipv6"})) == []
    assert stack_judged(cost_ceiling(), Declared("pet", "random:index/randomPet:RandomPet", {})) == []


def test_a_cell_has_a_ceiling_of_its_own() -> None:
    cell = [node("cell", serverType="cpx42", labels=CELL), Declared("v", objects.VOLUME, volume(size=500))]
    assert stack_judged(cost_ceiling(), *cell, project=CELL_PROJECT)
    assert stack_judged(cost_ceiling(), *cell, project=CELL_PROJECT, config={"cellMonthly": 100}) == []
    assert stack_judged(cost_ceiling(), *cell, project=CELL_PROJECT, config={"platformMonthly": 100})


@pytest.mark.parametrize(
    "declared",
    [
        node("x", serverType="cx99"),
        node("x", location="moon"),
        node("x", serverType="cx23", location="ash"),
        Declared("x", objects.LOAD_BALANCER, {"loadBalancerType": "lb99"}),
        Declared("x", objects.FLOATING_IP, {"type": "ipv4"}),
    ],
)
def test_an_unknown_price_is_refused(declared: Declared) -> None:
    [(report, urn)] = stack_judged(cost_ceiling(), declared)
    assert "price list does not know" in report
    assert urn.endswith("::x")


def test_unknown() -> None:
    with pytest.raises(UnknownValueError):
        stack_judged(cost_ceiling(), Declared("v", objects.VOLUME, volume(size="04da6b54-80e4-46f7-96ec-b56ff0331ba9")))


def test_the_price_list_has_everything_that_may_be_ordered() -> None:
    assert set(_FOR_CELLS) <= set(_FOR_PLATFORM) <= set(offers()["server_types"])
