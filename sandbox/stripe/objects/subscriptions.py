"""Subscriptions and their items."""

from __future__ import annotations

from typing import Any, Final

from sandbox.stripe.model.values import Json, list_of, new_id
from sandbox.stripe.objects.catalogue import plan_object
from sandbox.stripe.objects.ordering import ordered

# Fields that begin without a value: nothing fills them here, or something does later.
_ABSENT: Final = (
    "application",
    "application_fee_percent",
    "billing_cycle_anchor_config",
    "billing_thresholds",
    "cancel_at",
    "canceled_at",
    "customer_account",
    "days_until_due",
    "default_source",
    "ended_at",
    "latest_invoice",
    "managed_payments",
    "next_pending_invoice_item_invoice",
    "on_behalf_of",
    "pause_collection",
    "pending_invoice_item_interval",
    "pending_setup_intent",
    "pending_update",
    "schedule",
    "status_details",
    "test_clock",
    "transfer_data",
)


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
    return ordered(
        {
            "id": identifier,
            "object": "subscription",
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": anchor,
            "billing_mode": billing_mode_hash(mode),
            "billing_schedules": [],
            "cancel_at_period_end": False,
            "cancellation_details": cancellation(),
            "collection_method": "charge_automatically",
            "created": created,
            "currency": currency,
            "customer": customer,
            "default_payment_method": default_payment_method,
            "default_tax_rates": [],
            "description": description,
            "discounts": [],
            "invoice_settings": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": {"type": "self"},
            },
            "items": list_of([], f"/v1/subscription_items?subscription={identifier}"),
            "livemode": False,
            "metadata": metadata,
            "payment_settings": {
                "payment_method_options": None,
                "payment_method_types": None,
                "save_default_payment_method": "off",
            },
            "start_date": created,
            "status": "incomplete",
            "trial_end": trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": created if trial_end else None,
            **dict.fromkeys(_ABSENT),
        }
    )


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
