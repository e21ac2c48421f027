"""How a subscription ends."""

from __future__ import annotations

from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.invoices import subscription_of
from sandbox.stripe.objects.subscriptions import cancellation
from sandbox.stripe.store.account import Account


def end_subscription(
    account: Account,
    subscription: Json,
    *,
    reason: str | None = "cancellation_requested",
    comment: str | None = None,
    feedback: str | None = None,
    status: str = "canceled",
) -> Json:
    """Ends it now: one customer.subscription.deleted (or .updated for an attempt that was never paid)."""
    details = subscription["cancellation_details"]
    subscription |= {
        "status": status,
        "ended_at": account.now,
        "canceled_at": subscription["canceled_at"] or account.now,
        "cancellation_details": cancellation(
            reason=details["reason"] or reason,
            comment=comment or details["comment"],
            feedback=feedback or details["feedback"],
        ),
    }
    stop_collection(account, subscription["id"])
    if status != "canceled":
        return account.save(subscription, "customer.subscription.updated")
    return account.save(subscription, "customer.subscription.deleted", always=True)


def stop_collection(account: Account, subscription: str) -> None:
    """Unpaid invoices of an ended subscription are no longer pursued (they stay open, as with Stripe)."""
    open_invoices = account.every("invoice", parent__subscription_details__subscription=subscription)
    for invoice in open_invoices:
        if invoice["status"] in ("draft", "open") and subscription_of(invoice) == subscription:
            invoice |= {"auto_advance": False, "next_payment_attempt": None, "automatically_finalizes_at": None}
            account.save(invoice, "invoice.updated")
