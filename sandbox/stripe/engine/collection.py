"""Getting an invoice paid, and what payment or refusal means for its subscription."""

from __future__ import annotations

from sandbox.stripe.engine import invoicing, payments
from sandbox.stripe.engine.endings import end_subscription
from sandbox.stripe.model.config import AfterDunning
from sandbox.stripe.model.errors import ApiError, CardError
from sandbox.stripe.model.values import DAY, Json
from sandbox.stripe.objects.payments import invoice_payment_object
from sandbox.stripe.store.account import Account


def collect(account: Account, invoice: Json, *, present: bool, method: Json | None = None) -> ApiError | None:
    """Tries to pay an open invoice. Returns the refusal; the invoice and subscription already show it."""
    subscription = invoicing.subscription_for(account, invoice)
    if invoice["amount_due"] == 0:
        invoicing.mark_paid(account, invoice)
        _recover(account, subscription, invoice)
        return None
    customer = account.need(invoice["customer"], "customer", param="customer")
    method = method or payments.method_for(account, customer, subscription)
    error: ApiError | None
    if method is None:
        error = ApiError(
            "This customer has no attached payment source or default payment method. Please consider adding a default"
            " payment method.",
            code="resource_missing",
        )
    else:
        error = _charge(account, invoice, method, present=present)
    if error is None:
        invoicing.mark_paid(account, invoice)
        _recover(account, subscription, invoice)
    else:
        _refused(account, subscription, invoice)
    return error


def _charge(account: Account, invoice: Json, method: Json, *, present: bool) -> CardError | None:
    link = next(iter(account.every("invoice_payment", invoice=invoice["id"])), None)
    intent = account.find(link["payment"]["payment_intent"]) if link else None
    if link is None or intent is None:
        reason = (
            "Subscription creation" if invoice["billing_reason"] == "subscription_create" else "Subscription update"
        )
        intent = payments.new_intent(
            account,
            amount=invoice["amount_due"],
            currency=invoice["currency"],
            customer=invoice["customer"],
            description=reason,
            metadata={},
            present=present,
        )
        link = account.create(invoice_payment_object(invoice=invoice, intent=intent["id"], created=account.now))
    error = payments.confirm(account, intent, method, present=present)
    if error is None:
        link |= {"status": "paid", "amount_paid": invoice["amount_due"]}
        link["status_transitions"]["paid_at"] = account.now
        account.save(link, "invoice_payment.paid")
    return error


def _recover(account: Account, subscription: Json | None, invoice: Json) -> None:
    """A paid latest invoice makes its subscription active again."""
    if subscription is None or subscription["latest_invoice"] != invoice["id"]:
        return
    if subscription["status"] in ("incomplete", "past_due", "unpaid"):
        subscription["status"] = "active"
        account.save(subscription, "customer.subscription.updated")


def _refused(account: Account, subscription: Json | None, invoice: Json) -> None:
    if subscription is None or subscription["status"] in ("incomplete", "canceled", "incomplete_expired"):
        invoicing.mark_failed(account, invoice, next_attempt=None)
        return
    days = dunning_days(account)
    tried = invoice["attempt_count"]
    following = account.now + int(days[tried] * DAY) if tried < len(days) else None
    invoicing.mark_failed(account, invoice, next_attempt=following)
    if following is None:
        _give_up(account, subscription)
    elif subscription["status"] != "past_due":
        subscription["status"] = "past_due"
        account.save(subscription, "customer.subscription.updated")


def _give_up(account: Account, subscription: Json) -> None:
    """The last retry failed: the account's setting decides."""
    choice = AfterDunning(account.settings.get("after_dunning", account.config.after_dunning))
    if choice is AfterDunning.CANCEL:
        end_subscription(account, subscription, reason="payment_failed")
        return
    subscription["status"] = "unpaid" if choice is AfterDunning.UNPAID else "past_due"
    account.save(subscription, "customer.subscription.updated")


def dunning_days(account: Account) -> list[float]:
    """Days between payment attempts of a renewal."""
    return [float(days) for days in account.settings.get("dunning_days", list(account.config.dunning_days))]
