"""POST /v1/invoices/create_preview: the next invoice, found by rehearsing it and undoing the rehearsal."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import Call
from sandbox.stripe.api.items import item_changes
from sandbox.stripe.engine import changes
from sandbox.stripe.engine.subscriptions import renew
from sandbox.stripe.model.errors import ApiError, unsupported_parameter
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.subscriptions import period_end

PRORATIONS = ("create_prorations", "always_invoice", "none")


def preview(call: Call) -> Json:
    """What the subscription's next invoice would be, with `subscription_details.items` applied first."""
    chosen = call.params.text("subscription")
    if chosen is None:
        raise unsupported_parameter("customer (without subscription)")
    account = call.account
    with account.rehearsal():
        subscription = account.need(chosen, "subscription", param="subscription")
        if subscription["status"] in ("canceled", "incomplete_expired"):
            raise ApiError(
                "No upcoming invoices for customer: the subscription has ended.", code="invoice_upcoming_none"
            )
        details = call.params.child("subscription_details")
        if details is not None and set(details.values) - {"items", "proration_behavior"}:
            raise unsupported_parameter("subscription_details (only items and proration_behavior)")
        before = subscription["latest_invoice"]
        if details is not None and "items" in details:
            behavior = details.choice("proration_behavior", PRORATIONS, "create_prorations")
            subscription = changes.change_items(account, subscription, item_changes(call, details), proration=behavior)
        billed = account.find(subscription["latest_invoice"]) if subscription["latest_invoice"] != before else None
        invoice = billed or renew(account, subscription, moment=period_end(subscription))
    # A draft's id must not be usable: nothing of it exists any more.
    invoice |= {"id": f"upcoming_{invoice['id']}", "status": "draft", "number": None}
    return invoice
