"""Reading `items[]` of subscription changes."""

from __future__ import annotations

from sandbox.stripe.api.endpoint import Call
from sandbox.stripe.engine.changes import ItemChange
from sandbox.stripe.model.errors import unsupported_parameter
from sandbox.stripe.model.forms import Params


def item_changes(call: Call, params: Params) -> list[ItemChange]:
    """The changes that `items` of `params` asks for."""
    return [_one(call, entry) for entry in params.each("items")]


def _one(call: Call, entry: Params) -> ItemChange:
    for name in ("price_data", "plan", "discounts", "tax_rates", "billing_thresholds", "trial"):
        if name in entry:
            raise unsupported_parameter(entry.name(name))
    price = entry.text("price")
    return ItemChange(
        id=entry.text("id"),
        price=call.account.need(price, "price", param=entry.name("price")) if price else None,
        quantity=entry.whole("quantity"),
        deleted=bool(entry.flag("deleted")),
        metadata=entry.metadata(),
    )
