"""Status `paused`: no period, no invoice, until resumed."""

from __future__ import annotations

from sandbox.stripe.engine import invoicing
from sandbox.stripe.engine.collection import collect
from sandbox.stripe.engine.subscriptions import cycle_lines
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.moments import period_after
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.subscriptions import first_item
from sandbox.stripe.store.account import Account


def pause_subscription(account: Account, subscription: Json, *, reason: str) -> Json:
    """Sends customer.subscription.updated and .paused."""
    if subscription["status"] not in ("active", "past_due", "trialing", "unpaid"):
        raise ApiError(f"A subscription that is {subscription['status']} cannot be paused.")
    subscription["status"] = "paused"
    subscription["status_details"] = {
        "paused": {"subscription": {"type": reason}, "transitioned_at": account.now, "type": "subscription"}
    }
    account.save(subscription, "customer.subscription.updated")
    account.emit("customer.subscription.paused", subscription)
    return subscription


def resume_subscription(account: Account, subscription: Json) -> Json:
    """Starts a period now, bills it, sends customer.subscription.updated and .resumed."""
    if subscription["status"] != "paused":
        raise ApiError("This subscription is not paused and cannot be resumed.")
    start, end = period_after(account.now, first_item(subscription)["price"]["recurring"], account.now)
    subscription |= {"status": "active", "status_details": None, "billing_cycle_anchor": account.now}
    for item in subscription["items"]["data"]:
        item |= {"current_period_start": start, "current_period_end": end}
    account.save(subscription)
    invoice = invoicing.open_update_draft(account, subscription, cycle_lines(account, subscription))
    account.save(subscription)
    account.emit("customer.subscription.updated", subscription, {"status": "paused"})
    account.emit("customer.subscription.resumed", subscription)
    invoicing.finalize(account, invoice)
    collect(account, invoice, present=False)
    return account.need(subscription["id"], "subscription")
