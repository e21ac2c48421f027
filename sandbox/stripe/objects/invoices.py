"""Invoices, their lines, and invoice items waiting for the next invoice."""

from __future__ import annotations

from typing import Any, Final

from sandbox.stripe.model.values import Json, list_of, new_id
from sandbox.stripe.objects.ordering import ordered

# Fields that begin without a value: nothing fills them here, or something does later.
_INVOICE_ABSENT: Final = (
    "account_tax_ids",
    "application",
    "custom_fields",
    "customer_account",
    "customer_shipping",
    "default_payment_method",
    "default_source",
    "description",
    "due_date",
    "effective_at",
    "ending_balance",
    "footer",
    "from_invoice",
    "hosted_invoice_url",
    "invoice_pdf",
    "last_finalization_error",
    "latest_revision",
    "next_payment_attempt",
    "number",
    "on_behalf_of",
    "receipt_number",
    "rendering",
    "shipping_cost",
    "shipping_details",
    "statement_descriptor",
    "test_clock",
    "webhooks_delivered_at",
)
_INVOICE_AMOUNTS: Final = (
    "amount_due",
    "amount_overpaid",
    "amount_paid",
    "amount_paid_off_stripe",
    "amount_remaining",
    "amount_shipping",
    "attempt_count",
    "post_payment_credit_notes_amount",
    "pre_payment_credit_notes_amount",
    "starting_balance",
    "subtotal",
    "subtotal_excluding_tax",
    "total",
    "total_excluding_tax",
)
_TAX: Final = ("disabled_reason", "enabled", "liability", "provider", "status")
_TRANSITIONS: Final = ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")


def line_object(
    *,
    invoice: str | None,
    amount: int,
    currency: str,
    description: str,
    period: tuple[int, int],
    price: Json | None,
    quantity: int,
    parent: Json,
    metadata: Json,
) -> Json:
    """One line. `parent` says whether a subscription item or an invoice item put it there."""
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": metadata,
        "parent": parent,
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": pricing(price, amount, quantity),
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription_of_line(parent),
        "subtotal": amount,
        "taxes": [],
    }


def pricing(price: Json | None, amount: int, quantity: int) -> Json | None:
    """Where the amount comes from; None for a free amount without a price."""
    if price is None:
        return None
    unit = price["unit_amount_decimal"] if amount == price["unit_amount"] * quantity else str(amount // (quantity or 1))
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": unit,
    }


def parent_subscription_item(*, subscription: str, item: str, proration: bool) -> Json:
    """The parent of a line that a subscription's item caused."""
    return {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": proration,
            "proration_details": {"credited_items": None},
            "subscription": subscription,
            "subscription_item": item,
        },
        "type": "subscription_item_details",
    }


def parent_invoice_item(item: Json) -> Json:
    """The parent of a line that an invoice item caused."""
    details = (item["parent"] or {}).get("subscription_details") or {}
    return {
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": item["proration"],
            "proration_details": {"credited_items": None},
            "subscription": details.get("subscription"),
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }


def subscription_of_line(parent: Json) -> str | None:
    """The subscription a line belongs to, if any."""
    details: Json = parent["subscription_item_details"] or parent["invoice_item_details"] or {}
    return details.get("subscription")


def invoice_object(
    *,
    customer: Json,
    currency: str,
    created: int,
    reason: str,
    period: tuple[int, int],
    subscription: Json | None,
    account_name: str,
    finalizes_at: int | None,
    metadata: Json,
) -> Json:
    """A draft without lines."""
    identifier = new_id("in")
    return ordered(
        {
            "id": identifier,
            "object": "invoice",
            "account_country": "US",
            "account_name": account_name,
            "attempted": False,
            "auto_advance": finalizes_at is not None,
            "automatic_tax": {**dict.fromkeys(_TAX), "enabled": False},
            "automatically_finalizes_at": finalizes_at,
            "billing_reason": reason,
            "collection_method": "charge_automatically",
            "created": created,
            "currency": currency,
            "customer": customer["id"],
            "customer_address": customer["address"],
            "customer_email": customer["email"],
            "customer_name": customer["name"],
            "customer_phone": customer["phone"],
            "customer_tax_exempt": "none",
            "customer_tax_ids": [],
            "default_tax_rates": [],
            "discounts": [],
            "issuer": {"type": "self"},
            "lines": list_of([], f"/v1/invoices/{identifier}/lines"),
            "livemode": False,
            "metadata": metadata,
            "parent": None if subscription is None else _parent_subscription(subscription),
            "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
            "period_end": period[1],
            "period_start": period[0],
            "status": "draft",
            "status_transitions": dict.fromkeys(_TRANSITIONS),
            "total_discount_amounts": [],
            "total_pretax_credit_amounts": [],
            "total_taxes": [],
            **dict.fromkeys(_INVOICE_ABSENT),
            **dict.fromkeys(_INVOICE_AMOUNTS, 0),
        }
    )


def _parent_subscription(subscription: Json) -> Json:
    """The parent of an invoice that a subscription caused."""
    return {
        "quote_details": None,
        "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
        "type": "subscription_details",
    }


def invoice_item_object(
    *,
    customer: str,
    amount: int,
    currency: str,
    created: int,
    description: str | None,
    subscription: str | None,
    subscription_item: str | None,
    price: Json | None,
    quantity: int,
    proration: bool,
    period: tuple[int, int],
    metadata: Json,
) -> Json:
    """An amount that joins the customer's (or the subscription's) next invoice."""
    parent: Any = None
    if subscription is not None:
        parent = {
            "subscription_details": {"subscription": subscription, "subscription_item": subscription_item},
            "type": "subscription_details",
        }
    return {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "date": created,
        "description": description,
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": metadata,
        "net_amount": amount,
        "parent": parent,
        "period": {"end": period[1], "start": period[0]},
        "pricing": pricing(price, amount, quantity),
        "proration": proration,
        "proration_details": {"discount_amounts": []} if proration else None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": None,
    }


def subscription_of(invoice: Json) -> str | None:
    """The subscription an invoice belongs to, if any."""
    details: Json = (invoice["parent"] or {}).get("subscription_details") or {}
    return details.get("subscription")
