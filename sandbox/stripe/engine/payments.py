"""Charging a card: intent, charge, and the events both leave."""

from __future__ import annotations

from sandbox.stripe.model.cards import MESSAGES, Card, refusal
from sandbox.stripe.model.errors import CardError
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.payments import charge_object, payment_intent_object
from sandbox.stripe.objects.people import payment_method_object
from sandbox.stripe.store.account import Account


def new_method(account: Account, card: Card, *, email: str | None = None, name: str | None = None) -> Json:
    """A payment method that belongs to nobody yet."""
    return account.create(payment_method_object(card=card, created=account.now, email=email, name=name))


def attach(account: Account, method: Json, customer: Json, *, default: bool) -> Json:
    """Gives the card to the customer. Raises CardError for a card whose bank refuses even that."""
    code = declines(account, method, present=True)
    if code:
        raise card_error(code)
    method["customer"] = customer["id"]
    account.save(method)
    account.emit("payment_method.attached", method)
    if default:
        customer["invoice_settings"]["default_payment_method"] = method["id"]
        account.save(customer, "customer.updated")
    return method


def method_for(account: Account, customer: Json, subscription: Json | None) -> Json | None:
    """The card that pays: the subscription's own, else the customer's default."""
    chosen = (subscription or {}).get("default_payment_method") or customer["invoice_settings"][
        "default_payment_method"
    ]
    return account.find(chosen)


def card_error(decline: str, extra: Json | None = None) -> CardError:
    """The error of a decline code; an unknown code reads like a generic decline."""
    code, message = MESSAGES.get(decline, MESSAGES["generic_decline"])
    return CardError(message, code=code, decline_code=decline if code == "card_declined" else None, extra=extra)


def new_intent(
    account: Account,
    *,
    amount: int,
    currency: str,
    customer: str | None,
    description: str | None,
    metadata: Json,
    present: bool,
) -> Json:
    """An intent waiting for a card."""
    intent = payment_intent_object(
        amount=amount,
        currency=currency,
        customer=customer,
        created=account.now,
        description=description,
        metadata=metadata,
        payment_method=None,
        off_session=not present,
    )
    intent["status"] = "requires_payment_method"
    return account.create(intent, "payment_intent.created")


def declines(account: Account, method: Json, *, present: bool) -> str | None:
    """The decline code a charge would get now, or None."""
    return refusal(method["_number"], present=present, extra=account.config.card_declines)


def confirm(account: Account, intent: Json, method: Json, *, present: bool) -> CardError | None:
    """Charges the card. Returns the refusal instead of raising it: what failed is recorded first."""
    decline = declines(account, method, present=present)
    code, message = MESSAGES.get(decline, MESSAGES["generic_decline"]) if decline else (None, None)
    charge = charge_object(
        intent=intent, method=method, created=account.now, code=code, message=message, decline=decline
    )
    intent["latest_charge"] = charge["id"]
    if decline is None:
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "payment_method": method["id"]}
        intent["last_payment_error"] = None
        account.create(charge, "charge.succeeded")
        account.save(intent, "payment_intent.succeeded", always=True)
        return None
    error = card_error(decline, {"charge": charge["id"]})
    public_method = {name: value for name, value in method.items() if not name.startswith("_")}
    intent["status"] = "requires_payment_method"
    intent["last_payment_error"] = {
        **error.body("")["error"],
        "charge": charge["id"],
        "payment_method": public_method,
    }
    intent["last_payment_error"].pop("request_log_url")
    account.create(charge, "charge.failed")
    account.save(intent, "payment_intent.payment_failed", always=True)
    return error
