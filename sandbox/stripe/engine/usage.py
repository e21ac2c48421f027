"""Metered usage: what meter events of a customer add up to."""

from __future__ import annotations

from sandbox.stripe.model.values import Json
from sandbox.stripe.store.account import Account


def metered_quantity(account: Account, price: Json, customer: str, period: tuple[int, int]) -> int:
    """Sum (or count) of the meter's events within [start, end)."""
    meter = account.find(price["recurring"]["meter"])
    if meter is None:
        return 0
    mapping, value_key = meter["customer_mapping"]["event_payload_key"], meter["value_settings"]["event_payload_key"]
    events = [
        event
        for event in account.every("billing.meter_event", event_name=meter["event_name"])
        if event["payload"].get(mapping) == customer and period[0] <= event["timestamp"] < period[1]
    ]
    if meter["default_aggregation"]["formula"] == "count":
        return len(events)
    return round(sum(float(event["payload"].get(value_key, 0)) for event in events))
