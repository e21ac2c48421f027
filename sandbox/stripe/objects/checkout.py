"""Checkout sessions and their line items."""

from __future__ import annotations

from typing import Final

from sandbox.stripe.model.values import Json, new_id
from sandbox.stripe.objects.ordering import ordered
from sandbox.stripe.objects.people import empty_address

# Fields that begin without a value: nothing fills them here, or something does later.
_SESSION_ABSENT: Final = (
    "adaptive_pricing",
    "after_expiration",
    "allow_promotion_codes",
    "billing_address_collection",
    "branding_settings",
    "client_secret",
    "collected_information",
    "consent",
    "consent_collection",
    "currency_conversion",
    "customer_account",
    "integration_identifier",
    "invoice",
    "invoice_creation",
    "origin_context",
    "payment_intent",
    "payment_link",
    "payment_method_configuration_details",
    "permissions",
    "recovered_from",
    "saved_payment_method_options",
    "setup_intent",
    "shipping_address_collection",
    "shipping_cost",
    "submit_type",
    "subscription",
    "wallet_options",
)
_TEXTS: Final = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def line_item_object(*, price: Json, quantity: int, description: str) -> Json:
    """One thing bought."""
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": description,
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": quantity,
        "taxes": [],
    }


def details_hash(*, email: str | None, name: str | None) -> Json | None:
    """`session.customer_details`: what the page asked for; None until an e-mail address is known."""
    if email is None:
        return None
    return {
        "address": None if name is None else empty_address(),
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def session_object(
    *,
    mode: str,
    lines: list[Json],
    created: int,
    expires_at: int,
    customer: str | None,
    customer_email: str | None,
    success_url: str | None,
    cancel_url: str | None,
    client_reference_id: str | None,
    metadata: Json,
    locale: str | None,
    subscription_data: Json,
    address: str,
    known_email: str | None,
) -> Json:
    """An open session. `address` is the prefix of its page."""
    identifier = new_id("cs_test", 56)
    total = sum(line["amount_total"] for line in lines)
    return ordered(
        {
            "id": identifier,
            "object": "checkout.session",
            "amount_subtotal": total,
            "amount_total": total,
            "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
            "cancel_url": cancel_url,
            "client_reference_id": client_reference_id,
            "created": created,
            "currency": lines[0]["currency"] if lines else None,
            "custom_fields": [],
            "custom_text": dict.fromkeys(_TEXTS),
            "customer": customer,
            "customer_creation": None if mode == "subscription" else "if_required",
            "customer_details": details_hash(email=known_email, name=None),
            "customer_email": customer_email,
            "discounts": [],
            "expires_at": expires_at,
            "livemode": False,
            "locale": locale,
            "metadata": metadata,
            "mode": mode,
            "payment_method_collection": "always" if mode == "subscription" else "if_required",
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "phone_number_collection": {"enabled": False},
            "shipping_options": [],
            "status": "open",
            "success_url": success_url,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted_page",
            "url": f"{address}/pay/{identifier}",
            "_line_items": lines,
            "_subscription_data": subscription_data,
            **dict.fromkeys(_SESSION_ABSENT),
        }
    )
