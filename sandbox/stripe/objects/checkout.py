"""Checkout sessions and their line items."""

from __future__ import annotations

from sandbox.stripe.objects.people import empty_address
from sandbox.stripe.values import Json, new_id


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
    return {
        "id": identifier,
        "object": "checkout.session",
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "branding_settings": None,
        "cancel_url": cancel_url,
        "client_reference_id": client_reference_id,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": created,
        "currency": lines[0]["currency"] if lines else None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer,
        "customer_account": None,
        "customer_creation": None if mode == "subscription" else "if_required",
        "customer_details": details_hash(email=known_email, name=None),
        "customer_email": customer_email,
        "discounts": [],
        "expires_at": expires_at,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": locale,
        "metadata": metadata,
        "mode": mode,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "always" if mode == "subscription" else "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{address}/pay/{identifier}",
        "wallet_options": None,
        "_line_items": lines,
        "_subscription_data": subscription_data,
    }
