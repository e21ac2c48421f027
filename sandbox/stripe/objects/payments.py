"""Payment intents, charges, invoice payments and refunds."""

from __future__ import annotations

from typing import Final

from sandbox.stripe.model.values import Json, new_id
from sandbox.stripe.objects.ordering import ordered
from sandbox.stripe.objects.people import empty_address

# Fields that begin without a value: nothing fills them here, or something does later.
_INTENT_ABSENT: Final = (
    "allowed_payment_method_types",
    "application",
    "application_fee_amount",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "customer_account",
    "excluded_payment_method_types",
    "last_payment_error",
    "latest_charge",
    "next_action",
    "on_behalf_of",
    "payment_method_configuration_details",
    "processing",
    "receipt_email",
    "review",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)

_CHARGE_ABSENT: Final = (
    "application",
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)


def payment_intent_object(
    *,
    amount: int,
    currency: str,
    customer: str | None,
    created: int,
    description: str | None,
    metadata: Json,
    payment_method: str | None,
    off_session: bool,
) -> Json:
    """An intent that nobody confirmed yet."""
    identifier = new_id("pi")
    return ordered(
        {
            "id": identifier,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "capture_method": "automatic",
            "client_secret": f"{identifier}_secret_{new_id('x')[2:]}",
            "confirmation_method": "automatic",
            "created": created,
            "currency": currency,
            "customer": customer,
            "description": description,
            "livemode": False,
            "metadata": metadata,
            "payment_method": payment_method,
            "payment_method_options": {
                "card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}
            },
            "payment_method_types": ["card"],
            "setup_future_usage": None if off_session else "off_session",
            "status": "requires_confirmation",
            **dict.fromkeys(_INTENT_ABSENT),
        }
    )


def charge_object(
    *, intent: Json, method: Json, created: int, code: str | None, message: str | None, decline: str | None
) -> Json:
    """A charge on a card; failed when `code` is given."""
    failed = code is not None
    return ordered(
        {
            "id": new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0 if failed else intent["amount"],
            "amount_refunded": 0,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "CLAWSTACK",
            "captured": not failed,
            "created": created,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": code,
            "failure_message": message,
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "outcome": _outcome(decline, failed=failed),
            "paid": not failed,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _card_used(method["card"], None if failed else intent["amount"]),
            "refunded": False,
            "status": "failed" if failed else "succeeded",
            **dict.fromkeys(_CHARGE_ABSENT),
        }
    )


def _outcome(decline: str | None, *, failed: bool) -> Json:
    """`charge.outcome`."""
    return {
        "advice_code": "try_again_later" if failed else None,
        "network_advice_code": None,
        "network_decline_code": "01" if failed else None,
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": decline,
        "risk_level": "normal",
        "seller_message": "The bank declined the payment." if failed else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def _card_used(card: Json, authorized: int | None) -> Json:
    """`charge.payment_method_details`."""
    return {
        "card": {
            "amount_authorized": authorized,
            "brand": card["brand"],
            "checks": card["checks"],
            "country": card["country"],
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "network": card["brand"],
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
        "type": "card",
    }


def invoice_payment_object(*, invoice: Json, intent: str, created: int) -> Json:
    """The link between an invoice and the intent that pays it (`invoice.payments`)."""
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": created,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent, "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def refund_object(*, charge: Json, amount: int, created: int, reason: str | None, metadata: Json) -> Json:
    """A refund that succeeded at once."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {
            "card": {
                "reference": None,
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def billing_address(address: Json | None) -> Json:
    """What is known of an address, with every field present."""
    return {**empty_address(), **(address or {})}
