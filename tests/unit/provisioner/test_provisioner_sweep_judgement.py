"""What a look at a cell means, and how often it is taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.health.judgement import PATIENCE, Look, Verdict, judge
from services.health.part import cron_of
from services.provisioner.vocabulary import Desired, Observed
from services.substrates.protocol import Sighting

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("desired", "seen", "since", "verdict"),
    [
        (Desired.RUNNING, Observed.RUNNING, None, Verdict.FINE),
        (Desired.RUNNING, Observed.RUNNING, timedelta(hours=1), Verdict.FINE),
        (Desired.RUNNING, Observed.UNKNOWN, None, Verdict.WATCH),
        (Desired.RUNNING, Observed.UNKNOWN, PATIENCE / 2, Verdict.WATCH),
        (Desired.RUNNING, Observed.UNKNOWN, PATIENCE, Verdict.REPAIR),
        (Desired.RUNNING, Observed.BROKEN, None, Verdict.REPAIR),
        (Desired.RUNNING, Observed.SUSPENDED, None, Verdict.REPAIR),
        (Desired.RUNNING, Observed.ABSENT, None, Verdict.REPAIR),
        (Desired.SUSPENDED, Observed.SUSPENDED, None, Verdict.FINE),
        (Desired.SUSPENDED, Observed.RUNNING, None, Verdict.REPAIR),
        (Desired.SUSPENDED, Observed.UNKNOWN, None, Verdict.WATCH),
    ],
)
def test_verdicts(desired: Desired, seen: Observed, since: timedelta | None, verdict: Verdict) -> None:
    look = Look(desired=desired, sighting=Sighting(observed=seen), unwell_since=None if since is None else NOW - since)
    assert judge(look, now=NOW) is verdict


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
    assert cron_of(timedelta(seconds=seconds)) == line
