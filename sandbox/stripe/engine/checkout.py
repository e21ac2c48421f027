"""A person pays on the hosted page."""

from __future__ import annotations

from sandbox.stripe.engine import payments
from sandbox.stripe.engine.subscriptions import Line, Start, start
from sandbox.stripe.model.cards import Card
from sandbox.stripe.model.errors import ApiError, CardError
from sandbox.stripe.model.values import DAY, Json
from sandbox.stripe.objects.checkout import details_hash
from sandbox.stripe.objects.people import customer_object
from sandbox.stripe.store.account import Account


def pay(account: Account, session: Json, card: Card, *, email: str | None, name: str | None) -> Json:
    """Completes an open session: customer, subscription, first invoice, then checkout.session.completed.

    Raises CardError when the card is refused (the session stays open, the attempt is recorded) and ApiError when the
    session is complete or expired.
    """
    require_open(session)
    customer = account.find(session["customer"])
    address = email or session["customer_email"] or (customer or {}).get("email")
    if not address:
        raise ApiError("Your email is incomplete.", param="email")
    method = payments.new_method(account, card, email=address, name=name)
    _authorise(account, session, method, customer)
    if customer is None:
        customer = account.create(
            customer_object(email=address, name=name, created=account.now, metadata={}), "customer.created"
        )
    payments.attach(account, method, customer, default=False)
    subscription = _subscribe(account, session, customer, method)
    return _complete(account, session, customer, subscription, details_hash(email=address, name=name))


def require_open(session: Json) -> None:
    """Raises ApiError for a session that is over."""
    if session["status"] == "complete":
        message = "You're all done here. This Checkout Session was paid already."
        raise ApiError(message, code="checkout_session_complete")
    if session["status"] == "expired":
        message = "This Checkout Session has expired. Go back and start again."
        raise ApiError(message, code="checkout_session_expired")


def _authorise(account: Account, session: Json, method: Json, customer: Json | None) -> None:
    """A refused card leaves a failed charge and nothing else: the subscription is made after the bank's yes."""
    if not payments.declines(account, method, present=True):
        return
    intent = payments.new_intent(
        account,
        amount=session["amount_total"] or 0,
        currency=session["currency"],
        customer=customer["id"] if customer else None,
        description="Subscription creation",
        metadata={},
        present=True,
    )
    error = payments.confirm(account, intent, method, present=True)
    if error is not None:
        raise error


def _subscribe(account: Account, session: Json, customer: Json, method: Json) -> Json:
    data = session["_subscription_data"]
    trial_days = data.get("trial_period_days")
    lines = [
        Line(price=account.need(line["price"]["id"], "price", param="price"), quantity=line["quantity"])
        for line in session["_line_items"]
    ]
    wanted = Start(
        customer=customer,
        lines=lines,
        metadata=data.get("metadata", {}),
        mode=data.get("mode", account.config.billing_mode),
        default_payment_method=method["id"],
        description=data.get("description"),
        trial_end=account.now + trial_days * DAY if trial_days else data.get("trial_end"),
        present=True,
    )
    subscription, error = start(account, wanted)
    if isinstance(error, CardError):
        raise error
    return subscription


def _complete(account: Account, session: Json, customer: Json, subscription: Json, details: Json | None) -> Json:
    session |= {
        "status": "complete",
        "payment_status": "paid"
        if session["amount_total"] and subscription["status"] != "trialing"
        else "no_payment_required",
        "customer": customer["id"],
        "customer_details": details,
        "subscription": subscription["id"],
        "invoice": subscription["latest_invoice"],
        "url": None,
    }
    account.save(session)
    account.emit("checkout.session.completed", session)
    return session


def expire(account: Account, session: Json) -> Json:
    """Open -> expired."""
    if session["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of {session["status"]}'
        raise ApiError(message)
    session |= {"status": "expired", "url": None}
    account.save(session)
    account.emit("checkout.session.expired", session)
    return session
