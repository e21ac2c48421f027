"""Where a cell's machine goes, and where next when there is no room."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.server.settings import ServerSettings
from tenants.server.sites import Site, next_site, site_of
from tests.unit.server.builders import BOOT_TOKEN, cell, make_settings, plan_of

ROOMY: dict[str, Any] = {
    "other_locations": ["hel1", "fsn1"],
    "other_server_types": {"business": ["cpx31"]},
}


def at(place: str) -> Site:
    kind, _, location = place.partition(" in ")
    return Site(location=location, server_type=kind)


def walk(settings: ServerSettings, start: str, **facts: Any) -> list[str]:
    """Every place that is tried from there on."""
    found: list[str] = []
    here: Site | None = at(start)
    while (here := next_site("business", settings, at=here, **facts)) is not None:
        found.append(str(here))
        assert len(found) < 20, "it goes in circles"
    return found


def test_other_types_come_before_other_locations_and_each_place_once() -> None:
    told = walk(make_settings(**ROOMY), "cx33 in nbg1", pinned=False)
    assert told == ["cpx31 in nbg1", "cx33 in hel1", "cpx31 in hel1", "cx33 in fsn1", "cpx31 in fsn1"]


@pytest.mark.parametrize(("start", "then"), [("cx33 in hel1", ["cpx31 in hel1"]), ("cpx31 in hel1", [])])
def test_a_volume_that_was_written_on_is_never_left(start: str, then: list[str]) -> None:
    assert walk(make_settings(**ROOMY), start, pinned=True) == then


def test_where_the_volume_finds_no_room_no_type_of_server_helps() -> None:
    found = next_site("business", make_settings(**ROOMY), at=at("cx33 in nbg1"), pinned=False, no_volumes=True)
    assert str(found) == "cx33 in hel1"


def test_without_other_places_there_is_none() -> None:
    assert walk(make_settings(), "cx33 in nbg1", pinned=False) == []


@pytest.mark.parametrize(
    ("boot", "site"),
    [
        ({}, "cx33 in nbg1"),
        ({"location": "hel1"}, "cx33 in hel1"),
        ({"location": "hel1", "server_type": "cpx31"}, "cpx31 in hel1"),
        ({"server_type": "cpx51"}, "cx33 in nbg1"),
    ],
    ids=["first", "elsewhere", "another type", "a type of another plan"],
)
def test_what_was_once_found_stays(boot: dict[str, Any], site: str) -> None:
    spec = cell(boot={"token": BOOT_TOKEN, **boot})
    assert str(site_of(spec, make_settings(**ROOMY))) == site
    plan = plan_of(spec, **ROOMY)
    assert plan.machine is not None
    assert f"{plan.machine.server_type} in {plan.location}" == site


@pytest.mark.parametrize(("first", "may_move"), [(True, True), (False, False)])
def test_only_a_volume_that_holds_nothing_may_move(first: bool, may_move: bool) -> None:
    assert plan_of(cell(boot={"token": BOOT_TOKEN, "is_first": first})).volume_may_move is may_move
    assert plan_of(cell(boot=None, desired="suspended")).volume_may_move is False


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"business": ["cax21"]}, r"cax21 for 'business' has another processor \(arm64\) than cx33 \(x64\)"),
        ({"gold": ["cx43"]}, "names 'gold', for which server_types has no first type"),
    ],
)
def test_other_types_must_be_able_to_take_the_firsts_place(others: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_settings(other_server_types=others)
