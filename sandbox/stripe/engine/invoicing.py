"""Invoices: gather lines, finalise, mark as paid, failed, void or uncollectible."""

from __future__ import annotations

from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.invoices import invoice_object, line_object, parent_invoice_item, subscription_of
from sandbox.stripe.store.account import Account


def open_draft(
    account: Account,
    *,
    customer: Json,
    currency: str,
    reason: str,
    period: tuple[int, int],
    subscription: Json | None = None,
    lines: list[Json] | None = None,
    finalizes_at: int | None = None,
    metadata: Json | None = None,
    include_pending: bool = True,
) -> Json:
    """A draft with `lines` and everything that waited for the next invoice."""
    invoice = invoice_object(
        customer=customer,
        currency=currency,
        created=account.now,
        reason=reason,
        period=period,
        subscription=subscription,
        account_name=account.config.account_name,
        finalizes_at=finalizes_at,
        metadata=metadata or {},
    )
    # Lines point at the invoice and pending items at it as well: it must exist before they do.
    waiting = pending_items(account, customer["id"], subscription) if include_pending else []
    gathered = [claim_item(account, item, invoice) for item in waiting] + (lines or [])
    for line in gathered:
        line["invoice"] = invoice["id"]
    invoice["lines"]["data"] = gathered
    total_up(invoice)
    return account.create(invoice, "invoice.created")


def open_update_draft(account: Account, subscription: Json, lines: list[Json]) -> Json:
    """A draft for what was just changed about a subscription, and its latest invoice from now on; saving is the caller's."""
    invoice = open_draft(
        account,
        customer=account.need(subscription["customer"], "customer", param="customer"),
        currency=subscription["currency"],
        reason="subscription_update",
        period=(account.now, account.now),
        subscription=subscription,
        lines=lines,
    )
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def pending_items(account: Account, customer: str, subscription: Json | None) -> list[Json]:
    """Invoice items of the customer that no invoice has taken; a subscription's own ones wait for its invoice."""
    waiting = [item for item in account.every("invoiceitem", customer=customer) if item["invoice"] is None]
    wanted = subscription["id"] if subscription else None
    return [item for item in waiting if _item_subscription(item) in (None, wanted)]


def _item_subscription(item: Json) -> str | None:
    details: Json = (item["parent"] or {}).get("subscription_details") or {}
    return details.get("subscription")


def claim_item(account: Account, item: Json, invoice: Json) -> Json:
    """The line an invoice item becomes."""
    item["invoice"] = invoice["id"]
    account.save(item)
    price_id = ((item["pricing"] or {}).get("price_details") or {}).get("price")
    return line_object(
        invoice=invoice["id"],
        amount=item["amount"],
        currency=item["currency"],
        description=item["description"] or "",
        period=(item["period"]["start"], item["period"]["end"]),
        price=account.find(price_id),
        quantity=item["quantity"],
        parent=parent_invoice_item(item),
        metadata=item["metadata"],
    )


def total_up(invoice: Json) -> None:
    """Sums the lines; the customer's balance is applied when the invoice is finalised."""
    total = sum(line["amount"] for line in invoice["lines"]["data"])
    invoice |= {"subtotal": total, "subtotal_excluding_tax": total, "total": total, "total_excluding_tax": total}
    invoice |= {"amount_due": max(0, total), "amount_remaining": max(0, total)}


def finalize(account: Account, invoice: Json) -> Json:
    """Draft -> open: numbered, the customer's balance applied, fixed from here on."""
    if invoice["status"] != "draft":
        message = "This invoice is already finalized, you can't re-finalize a non-draft invoice."
        raise ApiError(message, code="invoice_not_editable")
    customer = account.need(invoice["customer"], "customer", param="customer")
    balance = customer["balance"]
    due = max(0, invoice["total"] + balance) if balance < 0 or invoice["total"] < 0 else invoice["total"] + balance
    ending = balance + invoice["total"] - due
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer |= {"next_invoice_sequence": customer["next_invoice_sequence"] + 1, "balance": ending}
    customer["currency"] = customer["currency"] or invoice["currency"]
    account.save(customer, "customer.updated")
    page = f"{account.settings.get('public_url', '')}/invoice/{invoice['id']}"
    invoice |= {
        "status": "open",
        "number": number,
        "starting_balance": balance,
        "ending_balance": ending,
        "amount_due": due,
        "amount_remaining": due,
        "auto_advance": invoice["collection_method"] == "charge_automatically",
        "automatically_finalizes_at": None,
        "effective_at": account.now,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
    }
    invoice["status_transitions"]["finalized_at"] = account.now
    return account.save(invoice, "invoice.finalized", always=True)


def mark_paid(account: Account, invoice: Json, *, out_of_band: bool = False) -> Json:
    """Open -> paid, with the three events Stripe sends for it."""
    amount = 0 if out_of_band else invoice["amount_due"]
    invoice |= {
        "status": "paid",
        "amount_paid": amount,
        "amount_paid_off_stripe": invoice["amount_due"] if out_of_band else 0,
        "amount_remaining": 0,
        "attempted": True,
        "attempt_count": invoice["attempt_count"] + (1 if amount else 0),
        "auto_advance": False,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"]["paid_at"] = account.now
    account.save(invoice, "invoice.updated")
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)
    return invoice


def mark_failed(account: Account, invoice: Json, *, next_attempt: int | None) -> Json:
    """A payment attempt failed; the invoice stays open."""
    invoice |= {
        "attempted": True,
        "attempt_count": invoice["attempt_count"] + 1,
        "next_payment_attempt": next_attempt,
    }
    account.save(invoice, "invoice.updated")
    account.emit("invoice.payment_failed", invoice)
    return invoice


def void(account: Account, invoice: Json) -> Json:
    """Open -> void: never to be paid."""
    return _give_up(
        account, invoice, "void", moment="voided_at", event="invoice.voided", allowed=("open", "uncollectible")
    )


def mark_uncollectible(account: Account, invoice: Json) -> Json:
    """Open -> uncollectible: written off."""
    moment, event = "marked_uncollectible_at", "invoice.marked_uncollectible"
    return _give_up(account, invoice, "uncollectible", moment=moment, event=event, allowed=("open",))


def _give_up(
    account: Account, invoice: Json, status: str, *, moment: str, event: str, allowed: tuple[str, ...]
) -> Json:
    if invoice["status"] not in allowed:
        message = f"You can only pass in {' or '.join(allowed)} invoices. This invoice is {invoice['status']}."
        raise ApiError(message, code="invoice_not_editable")
    invoice |= {"status": status, "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"][moment] = account.now
    account.save(invoice, "invoice.updated")
    account.emit(event, invoice)
    return invoice


def subscription_for(account: Account, invoice: Json) -> Json | None:
    """The invoice's subscription, if it has one."""
    return account.find(subscription_of(invoice))
