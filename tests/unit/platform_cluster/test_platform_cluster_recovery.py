"""What an exported state says of an interrupted update, and what of Hetzner's things it does not know."""

from __future__ import annotations

import pytest

from clawstack.cluster.leftovers import DELETION_ORDER, Leftover, Maker, made_by, unrecorded
from clawstack.cluster.recover import read_state
from clawstack.errors import InvalidInputError

_SERVER = "hcloud:index/server:Server"


def _exported(**deployment):
    return {"version": 3, "deployment": {"resources": [], **deployment}}


def _leftover(kind, identity, maker=Maker.STACK):
    return Leftover(kind=kind, id=identity, name=str(identity), maker=maker, protected=False, bound=None)


def test_what_is_recorded_is_known_by_kind_and_id():
    state = read_state(
        _exported(
            resources=[
                {"type": _SERVER, "id": "12", "inputs": {}},
                {"type": "hcloud:index/zoneRrset:ZoneRrset", "id": "claw.example/k8s/A",
                 "inputs": {"zone": "claw.example", "name": "k8s", "type": "A"}},
                {"type": "random:index/randomBytes:RandomBytes", "id": "none", "inputs": {}},
                {"type": "hcloud:index/volume:Volume", "inputs": {}},
            ]
        )
    )  # fmt: skip
    assert state.knows("servers", 12)
    assert not state.knows("volumes", 12), "an id belongs to one kind"
    assert not state.knows("servers", 13)
    assert state.knows("rrsets", "claw.example/k8s/A")
    assert not state.knows("rrsets", "claw.example/k8s/AAAA")
    assert state.pending == ()


def test_only_begun_creations_at_hetzner_are_pending():
    def operation(kind, type_):
        return {"type": kind, "resource": {"type": type_, "inputs": {"ipRange": "10.0.0.0/24"}}}

    subnet = "hcloud:index/networkSubnet:NetworkSubnet"
    state = read_state(
        _exported(
            pending_operations=[
                operation("creating", subnet),
                operation("deleting", subnet),
                operation("creating", "random:index/randomBytes:RandomBytes"),
            ]
        )
    )
    assert state.pending == (("NetworkSubnet", {"ipRange": "10.0.0.0/24"}),)


@pytest.mark.parametrize("document", [{}, {"deployment": None}, {"deployment": []}])
def test_anything_else_is_no_state(document):
    with pytest.raises(InvalidInputError, match="no exported stack") as caught:
        read_state(document)
    assert "pulumi stack export" in caught.value.sentence()


def test_a_stack_without_anything_knows_nothing():
    assert read_state({"deployment": {}}).recorded == frozenset()


def test_recovery_never_touches_what_is_recorded_or_what_controllers_made():
    found = [
        _leftover("servers", 1),
        _leftover("servers", 2),
        _leftover("load_balancers", 3, Maker.CONTROLLERS),
    ]
    state = read_state(_exported(resources=[{"type": _SERVER, "id": "1", "inputs": {}}]))
    assert [each.id for each in unrecorded(found, state.knows)] == [2]
    assert [each.id for each in made_by(found, Maker.CONTROLLERS)] == [3]
    assert made_by(found, None) == found


def test_what_uses_another_goes_first():
    order = {kind: place for place, kind in enumerate(DELETION_ORDER)}
    for user, used in (("servers", "firewalls"), ("servers", "volumes"), ("servers", "networks"),
                       ("load_balancers", "networks"), ("servers", "placement_groups"), ("rrsets", "zones"),
                       ("servers", "primary_ips")):  # fmt: skip
        assert order[user] < order[used], f"{user} use {used}"
