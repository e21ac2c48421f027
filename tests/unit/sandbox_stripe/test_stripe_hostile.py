"""Plans of hostile deliveries."""

from __future__ import annotations

import random

import pytest

from sandbox.stripe.delivery.hostile import Hostile, plan

PAIRS = [(f"evt_{number}", "we_1") for number in range(200)]


def planned(hostile: Hostile, seed: int = 1) -> list[str]:
    return [entry.event for entry in plan(PAIRS, hostile, random.Random(seed)) if entry.flaw == ""]


def test_calm_means_once_each_in_order() -> None:
    assert planned(Hostile()) == [event for event, _ in PAIRS]


def test_duplicates_are_exact() -> None:
    assert sorted(planned(Hostile(duplicate=3))) == sorted([event for event, _ in PAIRS] * 3)


def test_reordering_keeps_the_set() -> None:
    shuffled = planned(Hostile(reorder=True))
    assert shuffled != [event for event, _ in PAIRS]
    assert sorted(shuffled) == sorted(event for event, _ in PAIRS)


def test_a_dropped_event_has_no_surviving_duplicate() -> None:
    entries = plan(PAIRS, Hostile(drop=0.3, duplicate=3), random.Random(2))
    dropped = {entry.event for entry in entries if entry.flaw == "dropped"}
    assert 30 < len(dropped) < 90
    assert dropped.isdisjoint(entry.event for entry in entries if entry.flaw == "")


def test_delays_stay_within_their_bounds() -> None:
    waits = [entry.wait for entry in plan(PAIRS, Hostile(delay_ms=(100, 300)), random.Random(3))]
    assert min(waits) >= 0.1
    assert max(waits) <= 0.3
    assert max(waits) - min(waits) > 0.1


def test_a_seed_repeats_itself() -> None:
    chaos = Hostile(reorder=True, drop=0.2, duplicate=2)
    assert planned(chaos, 5) == planned(chaos, 5)
    assert planned(chaos, 5) != planned(chaos, 6)


def test_forged_copies_come_before_the_real_one() -> None:
    flaws = [entry.flaw for entry in plan(PAIRS[:1], Hostile(bad_signature=1, stale_signature=1), random.Random(1))]
    assert flaws == ["bad_signature", "stale_signature", ""]


@pytest.mark.parametrize(
    "values",
    [{"drop": 1.5}, {"duplicate": 0}, {"concurrency": 51}, {"delay_ms": [9, 1]}, {"delay_ms": [1]}, {"typo": 1}],
)
def test_nonsense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"between|milliseconds|Unknown|unpack"):
        Hostile.parse(values)


def test_it_survives_being_stored() -> None:
    hostile = Hostile(duplicate=3, reorder=True, delay_ms=(0, 500), drop=0.3, seed=1)
    assert Hostile.parse(hostile.as_json()) == hostile
