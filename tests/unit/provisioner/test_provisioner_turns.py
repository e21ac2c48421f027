"""Those who found no slot come back one after another, often enough that none stays empty."""

from __future__ import annotations

from itertools import pairwise

from services.cells.workers.turns import Turns


def test_the_first_comes_back_after_a_second() -> None:
    assert Turns(slots=4, clock=lambda: 50.0).next().total_seconds() == 1.0


def test_a_crowd_is_spread_and_no_slot_waits_for_it() -> None:
    turns = Turns(slots=4, clock=lambda: 0.0)
    told = [turns.next().total_seconds() for _ in range(480)]
    gaps = [after - before for before, after in pairwise(told)]
    assert max(gaps) <= 1 / 4, "four slots, each free again after a second at the earliest"
    within_a_second = max(sum(start <= at < start + 1 for at in told) for start in told)
    assert within_a_second <= 9, "asking again must stay cheap however many wait"


def test_a_schedule_that_was_lived_through_is_forgotten() -> None:
    now = 0.0
    turns = Turns(slots=1, clock=lambda: now)
    for _ in range(100):
        turns.next()
    now = 500.0
    assert turns.next().total_seconds() == 1.0
