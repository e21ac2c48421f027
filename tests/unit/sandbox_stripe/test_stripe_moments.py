"""Billing periods."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.stripe.model.moments import add_interval, due_moment, period_after


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text + "+00:00").timestamp())


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "expected"),
    [
        ("2026-01-31T10:00:00", "month", 1, "2026-02-28T10:00:00"),
        ("2026-01-31T10:00:00", "month", 2, "2026-03-31T10:00:00"),
        ("2028-01-31T10:00:00", "month", 1, "2028-02-29T10:00:00"),
        ("2026-11-21T00:00:00", "month", 14, "2028-01-21T00:00:00"),
        ("2028-02-29T00:00:00", "year", 1, "2029-02-28T00:00:00"),
        ("2026-12-31T23:59:59", "day", 1, "2027-01-01T23:59:59"),
        ("2026-12-31T00:00:00", "week", 2, "2027-01-14T00:00:00"),
    ],
)
def test_intervals_follow_the_calendar(anchor: str, interval: str, count: int, expected: str) -> None:
    assert add_interval(at(anchor), interval, count) == at(expected)


def test_a_short_month_does_not_shift_the_day_for_good() -> None:
    anchor, recurring = at("2026-01-31T00:00:00"), {"interval": "month", "interval_count": 1}
    february = period_after(anchor, recurring, at("2026-02-10T00:00:00"))
    march = period_after(anchor, recurring, february[1])
    assert february == (at("2026-01-31T00:00:00"), at("2026-02-28T00:00:00"))
    assert march == (at("2026-02-28T00:00:00"), at("2026-03-31T00:00:00"))


MOMENTS = st.integers(at("2020-01-01T00:00:00"), at("2030-01-01T00:00:00"))


@given(MOMENTS, st.integers(0, 5 * 365 * 86_400), st.sampled_from(["day", "week", "month", "year"]), st.integers(1, 6))
def test_periods_cover_time_without_gap_or_overlap(anchor: int, later: int, interval: str, step: int) -> None:
    recurring = {"interval": interval, "interval_count": step}
    start, end = period_after(anchor, recurring, anchor + later)
    assert start <= anchor + later < end
    assert period_after(anchor, recurring, end)[0] == end


def subscription(**more: object) -> dict[str, object]:
    items = {"data": [{"current_period_end": 100}]}
    plain = {"object": "subscription", "status": "active", "items": items, "cancel_at": None, "pause_collection": None}
    return {**plain, "created": 0, **more}


@pytest.mark.parametrize(
    ("body", "moment"),
    [
        (subscription(), 100),
        (subscription(cancel_at=50), 50),
        (subscription(pause_collection={"behavior": "void", "resumes_at": 70}), 70),
        (subscription(status="incomplete"), 23 * 3600),
        (subscription(status="paused"), None),
        (subscription(status="canceled"), None),
        ({"object": "checkout.session", "status": "open", "expires_at": 9}, 9),
        ({"object": "checkout.session", "status": "complete", "expires_at": 9}, None),
        ({"object": "invoice", "status": "draft", "automatically_finalizes_at": None}, None),
        ({"object": "invoice", "status": "open", "next_payment_attempt": 7}, 7),
        ({"object": "customer"}, None),
    ],
)
def test_what_wants_attention_when(body: dict[str, object], moment: int | None) -> None:
    assert due_moment(body) == moment
