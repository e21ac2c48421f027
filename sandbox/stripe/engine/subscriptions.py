"""Starting and renewing subscriptions."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.stripe.engine import invoicing
from sandbox.stripe.engine.collection import collect
from sandbox.stripe.engine.usage import metered_quantity
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.moments import period_after
from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.invoices import line_object, parent_subscription_item
from sandbox.stripe.objects.subscriptions import first_item, item_object, subscription_object
from sandbox.stripe.store.account import Account


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What a subscription is for."""

    price: Json
    quantity: int = 1
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Everything that `start` needs to know."""

    customer: Json
    lines: list[Line]
    metadata: Json
    mode: str
    default_payment_method: str | None = None
    description: str | None = None
    trial_end: int | None = None
    present: bool = False
    pay: bool = True


def start(account: Account, wanted: Start) -> tuple[Json, ApiError | None]:
    """A new subscription and its first invoice; incomplete when that was refused (the refusal is returned)."""
    subscription = _build(account, wanted)
    account.create(subscription, "customer.subscription.created")
    invoice = invoicing.open_draft(
        account,
        customer=wanted.customer,
        currency=subscription["currency"],
        reason="subscription_create",
        period=(account.now, account.now),
        subscription=subscription,
        lines=cycle_lines(account, subscription, first=True),
    )
    subscription["latest_invoice"] = invoice["id"]
    account.save(subscription)
    invoicing.finalize(account, invoice)
    if invoice["amount_due"] and not wanted.pay:
        return subscription, None
    error = collect(account, invoice, present=wanted.present)
    return account.need(subscription["id"], "subscription"), error


def _build(account: Account, wanted: Start) -> Json:
    now, prices = account.now, [line.price for line in wanted.lines]
    check_prices(prices)
    anchor = wanted.trial_end or now
    subscription = subscription_object(
        customer=wanted.customer["id"],
        currency=prices[0]["currency"],
        created=now,
        anchor=anchor,
        metadata=wanted.metadata,
        mode=wanted.mode,
        default_payment_method=wanted.default_payment_method,
        description=wanted.description,
        trial_end=wanted.trial_end,
    )
    period = (now, wanted.trial_end) if wanted.trial_end else period_after(anchor, prices[0]["recurring"], now)
    subscription["items"]["data"] = [
        item_object(
            subscription=subscription["id"],
            price=line.price,
            quantity=None if metered(line.price) else line.quantity,
            period=period,
            created=now,
            metadata=line.metadata,
        )
        for line in wanted.lines
    ]
    subscription["items"]["total_count"] = len(wanted.lines)
    if wanted.trial_end:
        subscription["status"] = "trialing"
    return subscription


def check_prices(prices: list[Json]) -> None:
    """Raises ApiError for prices that cannot be on one subscription."""
    for price in prices:
        if not price["active"]:
            message = f"The price specified is inactive. This field only accepts active prices. ({price['id']})"
            raise ApiError(message, param="items[0][price]")
        if price["recurring"] is None:
            message = "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`."
            raise ApiError(message, param="items[0][price]")
    if len({price["currency"] for price in prices}) > 1:
        message = "All prices on a subscription must have the same `currency`."
        raise ApiError(message, param="items")


def metered(price: Json) -> bool:
    """Whether the price counts usage instead of a quantity."""
    return bool(price["recurring"] and price["recurring"]["usage_type"] == "metered")


def cycle_lines(
    account: Account, subscription: Json, *, first: bool = False, ended: tuple[int, int] | None = None
) -> list[Json]:
    """Lines of a period's invoice: the period ahead for what is licensed, the one `ended` for what is metered."""
    lines = []
    for item in subscription["items"]["data"]:
        price = item["price"]
        period = (item["current_period_start"], item["current_period_end"])
        quantity = item["quantity"] or 1
        if metered(price):
            if first or ended is None:
                continue
            period = ended
            quantity = metered_quantity(account, price, subscription["customer"], period)
        amount = 0 if subscription["status"] == "trialing" else price["unit_amount"] * quantity
        lines.append(
            line_object(
                invoice=None,
                amount=amount,
                currency=price["currency"],
                description=describe(account, price, quantity),
                period=period,
                price=price,
                quantity=quantity,
                parent=parent_subscription_item(subscription=subscription["id"], item=item["id"], proration=False),
                metadata=subscription["metadata"],
            )
        )
    return lines


def describe(account: Account, price: Json, quantity: int) -> str:
    """`1 x Starter (at $19.00 / month)`."""
    product = account.find(price["product"]) or {"name": price["product"]}
    money = f"{price['unit_amount'] / 100:.2f} {price['currency'].upper()}"
    every = f" / {price['recurring']['interval']}" if price["recurring"] else ""
    return f"{quantity} x {product['name']} (at {money}{every})"


def renew(account: Account, subscription: Json, *, moment: int) -> Json:
    """Rolls the items into the period that follows and drafts its invoice. Returns the invoice."""
    item = first_item(subscription)
    ended = (item["current_period_start"], item["current_period_end"])
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    start_at, end_at = period_after(subscription["billing_cycle_anchor"], item["price"]["recurring"], moment)
    for entry in subscription["items"]["data"]:
        entry |= {"current_period_start": start_at, "current_period_end": end_at}
    collecting = subscription["status"] != "unpaid" and subscription["pause_collection"] is None
    invoice = invoicing.open_draft(
        account,
        customer=account.need(subscription["customer"], "customer", param="customer"),
        currency=subscription["currency"],
        reason="subscription_cycle",
        period=ended,
        subscription=subscription,
        lines=cycle_lines(account, subscription, ended=ended),
        finalizes_at=account.now + account.config.draft_seconds if collecting else None,
    )
    subscription["latest_invoice"] = invoice["id"]
    account.save(subscription, "customer.subscription.updated")
    return _paused(account, subscription, invoice)


def _paused(account: Account, subscription: Json, invoice: Json) -> Json:
    """What a paused collection does with a new invoice."""
    behavior = (subscription["pause_collection"] or {}).get("behavior")
    if behavior in ("void", "mark_uncollectible"):
        invoicing.finalize(account, invoice)
        settle = invoicing.void if behavior == "void" else invoicing.mark_uncollectible
        settle(account, invoice)
    return invoice


def finish_invoice(account: Account, invoice: Json) -> ApiError | None:
    """Draft -> paid, or refused."""
    if invoice["status"] == "draft":
        invoicing.finalize(account, invoice)
    return collect(account, invoice, present=False)
