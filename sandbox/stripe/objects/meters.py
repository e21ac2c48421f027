"""Billing meters and their events."""

from __future__ import annotations

from sandbox.stripe.model.values import Json, new_id


def meter_object(*, name: str, event_name: str, formula: str, created: int, mapping: str, value_key: str) -> Json:
    """An active meter; `mapping` and `value_key` name the payload fields that hold customer and value."""
    return {
        "id": new_id("mtr_test"),
        "object": "billing.meter",
        "created": created,
        "customer_mapping": {"event_payload_key": mapping, "type": "by_id"},
        "default_aggregation": {"formula": formula},
        "display_name": name,
        "event_name": event_name,
        "event_time_window": None,
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": created,
        "value_settings": {"event_payload_key": value_key},
    }


def meter_event_object(*, event_name: str, identifier: str, payload: Json, timestamp: int, created: int) -> Json:
    """One report of usage. Its id is private: Stripe shows only the identifier."""
    return {
        "object": "billing.meter_event",
        "created": created,
        "event_name": event_name,
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": timestamp,
    }
