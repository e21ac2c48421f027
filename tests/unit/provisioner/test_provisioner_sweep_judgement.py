"""What a look at a cell means, and how often it is taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clawstack.vocabulary import Desired, Observed
from services.cells.health.judgement import PATIENCE, HealthVerdict, Look, judge, with_drift
from services.cells.substrates.base.protocol import Sighting
from services.kit.jobs.periodic import cron_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("desired", "seen", "since", "verdict"),
    [
        (Desired.RUNNING, Observed.RUNNING, None, HealthVerdict.FINE),
        (Desired.RUNNING, Observed.RUNNING, timedelta(hours=1), HealthVerdict.FINE),
        (Desired.RUNNING, Observed.UNKNOWN, None, HealthVerdict.WATCH),
        (Desired.RUNNING, Observed.UNKNOWN, PATIENCE / 2, HealthVerdict.WATCH),
        (Desired.RUNNING, Observed.UNKNOWN, PATIENCE, HealthVerdict.REPAIR),
        (Desired.RUNNING, Observed.BROKEN, None, HealthVerdict.REPAIR),
        (Desired.RUNNING, Observed.SUSPENDED, None, HealthVerdict.REPAIR),
        (Desired.RUNNING, Observed.ABSENT, None, HealthVerdict.REPAIR),
        (Desired.SUSPENDED, Observed.SUSPENDED, None, HealthVerdict.FINE),
        (Desired.SUSPENDED, Observed.RUNNING, None, HealthVerdict.REPAIR),
        (Desired.SUSPENDED, Observed.UNKNOWN, None, HealthVerdict.WATCH),
    ],
)
def test_verdicts(desired: Desired, seen: Observed, since: timedelta | None, verdict: HealthVerdict) -> None:
    look = Look(desired=desired, sighting=Sighting(observed=seen), unwell_since=None if since is None else NOW - since)
    assert judge(look, now=NOW) is verdict


LEFT = {"NetworkPolicy/default-deny": "a", "StatefulSet/gateway": "b", "Namespace/labels": "c"}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"StatefulSet/gateway": "b", "Namespace/labels": "c"}, "NetworkPolicy default-deny is gone"),
        ({**LEFT, "StatefulSet/gateway": "x"}, "StatefulSet gateway was changed"),
        ({**LEFT, "NetworkPolicy/open": "x"}, "NetworkPolicy open was added"),
    ],
)
def test_what_somebody_changed_is_drift_and_is_named(seen: dict[str, str], words: str) -> None:
    sighting = with_drift(Sighting(observed=Observed.RUNNING, objects=seen), LEFT)
    assert sighting.observed is Observed.BROKEN
    assert words in (sighting.reason or "")


@pytest.mark.parametrize(
    ("sighting", "left"),
    [
        (Sighting(observed=Observed.RUNNING, objects=LEFT), LEFT),
        (Sighting(observed=Observed.RUNNING, objects=LEFT), {}),
        (Sighting(observed=Observed.RUNNING), LEFT),
        (Sighting(observed=Observed.UNKNOWN, objects={"x/y": "z"}), LEFT),
    ],
)
def test_nothing_is_drift_that_cannot_be_compared(sighting: Sighting, left: dict[str, str]) -> None:
    assert with_drift(sighting, left) is sighting


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (0.1, "* * * * * */1"),
        (30, "* * * * * */30"),
        (60, "*/1 * * * *"),
        (600, "*/10 * * * *"),
        (86400, "*/59 * * * *"),
    ],
)
def test_intervals_become_cron_lines(seconds: float, line: str) -> None:
    assert cron_of(timedelta(seconds=seconds), at_least_hourly=True) == line
