"""Invoices, their lines, and invoice items waiting for the next invoice."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.values import Json, list_of, new_id


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
    parent: Any = None
    if subscription is not None:
        parent = {
            "quote_details": None,
            "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
            "type": "subscription_details",
        }
    return {
        "id": identifier,
        "object": "invoice",
        "account_country": "US",
        "account_name": account_name,
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": finalizes_at is not None,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": finalizes_at,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": list_of([], f"/v1/invoices/{identifier}/lines"),
        "livemode": False,
        "metadata": metadata,
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": parent,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": period[1],
        "period_start": period[0],
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
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
