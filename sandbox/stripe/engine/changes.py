"""Changing a running subscription: plan, quantity, cancellation, pause."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.stripe.engine import invoicing
from sandbox.stripe.engine.collection import collect
from sandbox.stripe.engine.subscriptions import check_prices, cycle_lines, describe, metered
from sandbox.stripe.model.errors import ApiError, CardError
from sandbox.stripe.model.moments import period_after
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.invoices import invoice_item_object
from sandbox.stripe.objects.subscriptions import cancellation, item_object, period_end
from sandbox.stripe.store.account import Account


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemChange:
    """One entry of `items`: `id` None adds an item; None elsewhere keeps what is there."""

    id: str | None = None
    price: Json | None = None
    quantity: int | None = None
    deleted: bool = False
    metadata: Json = field(default_factory=dict)


def change_items(
    account: Account,
    subscription: Json,
    changes: list[ItemChange],
    *,
    proration: str = "create_prorations",
    strict: bool = False,
) -> Json:
    """Applies `changes`, prorating what is left of the period. The caller saves what is returned.

    A changed interval starts a new period now and is invoiced at once, as with Stripe; otherwise prorations wait for
    the next invoice unless `proration` is `always_invoice`. `strict`: a refused payment undoes everything.
    """
    require_running(subscription)
    before = [dict(item) for item in subscription["items"]["data"]]
    interval = before[0]["price"]["recurring"]
    _apply(account, subscription, changes)
    after = subscription["items"]["data"]
    if not after:
        raise ApiError("A subscription must have at least one active plan. To cancel it, use the cancel endpoint.")
    check_prices([item["price"] for item in after])
    restart = _differs(interval, after[0]["price"]["recurring"])
    billed = subscription["status"] not in ("trialing", "incomplete") and before != after
    if billed and proration != "none":
        _prorate(account, subscription, before, restart=restart)
    if restart:
        subscription["billing_cycle_anchor"] = account.now
        start, end = period_after(account.now, after[0]["price"]["recurring"], account.now)
        for item in after:
            item |= {"current_period_start": start, "current_period_end": end}
    if not billed or not (restart or proration == "always_invoice"):
        return subscription
    _invoice_now(account, subscription, restart=restart, strict=strict)
    return account.need(subscription["id"], "subscription")


def require_running(subscription: Json) -> None:
    """Raises ApiError for a subscription that is over."""
    if subscription["status"] in ("canceled", "incomplete_expired"):
        message = "A canceled subscription can only update its cancellation_details and metadata."
        raise ApiError(message)


def _differs(one: Json, other: Json) -> bool:
    return (one["interval"], one["interval_count"]) != (other["interval"], other["interval_count"])


def _apply(account: Account, subscription: Json, changes: list[ItemChange]) -> None:
    items = subscription["items"]["data"]
    for change in changes:
        if change.id is None:
            items.append(_new_item(account, subscription, change))
            continue
        item = next((entry for entry in items if entry["id"] == change.id), None)
        if item is None:
            raise ApiError(f"No such subscription item: '{change.id}'", code="resource_missing", param="items[0][id]")
        if change.deleted:
            items.remove(item)
            continue
        position = items.index(item)
        items[position] = _changed_item(subscription, item, change)
    subscription["items"]["total_count"] = len(items)


def _new_item(account: Account, subscription: Json, change: ItemChange) -> Json:
    if change.price is None:
        raise ApiError("Missing required param: items[0][price].", code="parameter_missing", param="items[0][price]")
    same = subscription["items"]["data"][0]
    return item_object(
        subscription=subscription["id"],
        price=change.price,
        quantity=None if metered(change.price) else change.quantity or 1,
        period=(same["current_period_start"], same["current_period_end"]),
        created=account.now,
        metadata=change.metadata,
    )


def _changed_item(subscription: Json, item: Json, change: ItemChange) -> Json:
    """The same item id with the new price: that is how Stripe shows a plan change."""
    price = change.price or item["price"]
    fresh = item_object(
        subscription=subscription["id"],
        price=price,
        quantity=None if metered(price) else change.quantity or item["quantity"] or 1,
        period=(item["current_period_start"], item["current_period_end"]),
        created=item["created"],
        metadata={**item["metadata"], **change.metadata},
    )
    return {**fresh, "id": item["id"]}


def _prorate(account: Account, subscription: Json, before: list[Json], *, restart: bool) -> None:
    """Invoice items: a credit for unused time of what went, a charge for the rest of what came."""
    now, after = account.now, subscription["items"]["data"]
    gone = [item for item in before if not any(_same(item, other) for other in after)]
    come = [] if restart else [item for item in after if not any(_same(item, other) for other in before)]
    for item, sign in [*((item, -1) for item in gone), *((item, 1) for item in come)]:
        if metered(item["price"]):
            continue
        start, end = item["current_period_start"], item["current_period_end"]
        full = item["price"]["unit_amount"] * (item["quantity"] or 1)
        amount = sign * round(full * max(0, end - now) / max(1, end - start))
        name = describe(account, item["price"], item["quantity"] or 1)
        words = "Unused time on" if sign < 0 else "Remaining time on"
        entry = invoice_item_object(
            customer=subscription["customer"],
            amount=amount,
            currency=subscription["currency"],
            created=now,
            description=f"{words} {name}",
            subscription=subscription["id"],
            subscription_item=item["id"],
            price=item["price"],
            quantity=item["quantity"] or 1,
            proration=True,
            period=(now, end),
            metadata={},
        )
        account.create(entry, "invoiceitem.created")


def _same(one: Json, other: Json) -> bool:
    return (one["id"], one["price"]["id"], one["quantity"]) == (other["id"], other["price"]["id"], other["quantity"])


def _invoice_now(account: Account, subscription: Json, *, restart: bool, strict: bool) -> None:
    account.save(subscription, "customer.subscription.updated")
    lines = cycle_lines(account, subscription) if restart else []
    invoice = invoicing.open_update_draft(account, subscription, lines)
    account.save(subscription, "customer.subscription.updated")
    invoicing.finalize(account, invoice)
    error = collect(account, invoice, present=False)
    if error is not None and strict:
        raise CardError(error.message, code=error.code or "card_declined", decline_code=None, keep=False)


def schedule_cancel(
    account: Account, subscription: Json, *, flag: bool = True, comment: str | None = None, feedback: str | None = None
) -> None:
    """Ends with the period. `flag` false: only `cancel_at` is set, as the portal does in flexible billing mode."""
    require_running(subscription)
    subscription |= {
        "cancel_at_period_end": flag,
        "cancel_at": period_end(subscription),
        "canceled_at": account.now,
        "cancellation_details": cancellation(reason="cancellation_requested", comment=comment, feedback=feedback),
    }


def unschedule_cancel(subscription: Json) -> None:
    """The customer changed their mind."""
    require_running(subscription)
    subscription |= {
        "cancel_at_period_end": False,
        "cancel_at": None,
        "canceled_at": None,
        "cancellation_details": cancellation(),
    }
