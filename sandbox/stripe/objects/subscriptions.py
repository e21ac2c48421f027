"""Subscriptions and their items."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.objects.catalogue import plan_object
from sandbox.stripe.values import Json, list_of, new_id


def item_object(
    *, subscription: str, price: Json, quantity: int | None, period: tuple[int, int], created: int, metadata: Json
) -> Json:
    """One line of a subscription. Since 2025-03-31.basil the billing period lives here, not on the subscription."""
    return {
        "id": new_id("si", 14),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": created,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": metadata,
        "plan": plan_object(price),
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def billing_mode_hash(kind: str) -> Json:
    """`subscription.billing_mode`."""
    return {"flexible": {"proration_discounts": "included"} if kind == "flexible" else None, "type": kind}


def subscription_object(
    *,
    customer: str,
    currency: str,
    created: int,
    anchor: int,
    metadata: Json,
    mode: str,
    default_payment_method: str | None,
    description: str | None,
    trial_end: int | None,
) -> Json:
    """A subscription without items, not paid yet."""
    identifier = new_id("sub")
    return {
        "id": identifier,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": anchor,
        "billing_cycle_anchor_config": None,
        "billing_mode": billing_mode_hash(mode),
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": cancellation(),
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": default_payment_method,
        "default_source": None,
        "default_tax_rates": [],
        "description": description,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": list_of([], f"/v1/subscription_items?subscription={identifier}"),
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": metadata,
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": created,
        "status": "incomplete",
        "status_details": None,
        "test_clock": None,
        "transfer_data": None,
        "trial_end": trial_end,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": created if trial_end else None,
    }


def cancellation(*, reason: str | None = None, comment: str | None = None, feedback: str | None = None) -> Json:
    """`subscription.cancellation_details`."""
    return {"comment": comment, "feedback": feedback, "reason": reason}


def first_item(subscription: Json) -> Json:
    """The item that names the plan; the stand-in's subscriptions have at least one."""
    items: list[Any] = subscription["items"]["data"]
    found: Json = items[0]
    return found


def period_end(subscription: Json) -> int:
    """The latest end of the items' periods: when an at-period-end cancellation takes effect."""
    return max(int(item["current_period_end"]) for item in subscription["items"]["data"])
