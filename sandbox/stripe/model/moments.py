"""When things happen: calendar arithmetic of billing periods, and the next moment an object wants attention."""

from __future__ import annotations

import calendar
import datetime as dt

from sandbox.stripe.model.values import DAY, Json

INCOMPLETE_SECONDS = 23 * 3600
"""A first payment must succeed within 23 hours, or the subscription becomes incomplete_expired."""
_LIVE = ("active", "trialing", "past_due", "unpaid")


def add_interval(anchor: int, interval: str, count: int) -> int:
    """`anchor` plus `count` intervals. Months keep the anchor's day, or the month's last one (31 Jan -> 28 Feb)."""
    if interval in ("day", "week"):
        return anchor + count * DAY * (7 if interval == "week" else 1)
    start = dt.datetime.fromtimestamp(anchor, tz=dt.UTC)
    months = start.month - 1 + count * (12 if interval == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())


def period_after(anchor: int, recurring: Json, moment: int) -> tuple[int, int]:
    """The billing period, counted from `anchor`, that contains `moment`."""
    interval, step = recurring["interval"], recurring["interval_count"]
    count = 0
    while add_interval(anchor, interval, (count + 1) * step) <= moment:
        count += 1
    return add_interval(anchor, interval, count * step), add_interval(anchor, interval, (count + 1) * step)


def due_moment(body: Json) -> int | None:
    """When the engine must look at this object next, or None."""
    kind, moment = body["object"], None
    if kind == "subscription":
        return _subscription_moment(body)
    if kind == "checkout.session" and body["status"] == "open":
        moment = body["expires_at"]
    elif kind == "invoice" and body["status"] == "draft":
        moment = body["automatically_finalizes_at"]
    elif kind == "invoice" and body["status"] == "open":
        moment = body["next_payment_attempt"]
    return None if moment is None else int(moment)


def _subscription_moment(body: Json) -> int | None:
    if body["status"] == "incomplete":
        return int(body["created"]) + INCOMPLETE_SECONDS
    if body["status"] not in _LIVE:
        return None
    moments = [int(item["current_period_end"]) for item in body["items"]["data"]]
    pause = body["pause_collection"] or {}
    moments += [int(moment) for moment in (body["cancel_at"], pause.get("resumes_at")) if moment]
    return min(moments)
