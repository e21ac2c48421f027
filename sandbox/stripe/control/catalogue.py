"""Puts products and prices there, found later by lookup key `clawstack_<plan>_<month|year>`."""

from __future__ import annotations

from sandbox.stripe.model.values import Json
from sandbox.stripe.objects.catalogue import price_object, product_object, recurring_hash
from sandbox.stripe.store.account import Account

INTERVALS = ("month", "year")


def seed_catalogue(account: Account, values: Json) -> Json:
    """{currency?, plans: {<plan>: {month?, year?, name?}}}, amounts in the smallest unit. Repeating changes nothing.

    A changed amount makes a new price and takes the lookup key away from the old one, which stays valid for those who
    have it. Answers {lookup key: price id}. Raises ValueError for an amount that is not a positive integer.
    """
    plans, currency = values["plans"], str(values.get("currency", "usd"))
    if not isinstance(plans, dict):
        raise ValueError("plans must be an object: {<plan>: {month: 1900, year: 19000}}.")  # noqa: TRY004 - caller's input
    prices: Json = {}
    with account.operation():
        for plan, wanted in plans.items():
            product = _product(account, plan, str(wanted.get("name", plan.capitalize())))
            for interval in INTERVALS:
                if interval in wanted:
                    key = f"clawstack_{plan}_{interval}"
                    prices[key] = _price(account, product, key, _amount(wanted[interval], key), interval, currency)
    return {"prices": prices}


def _amount(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"The amount of {key} must be a whole number of cents, not {value!r}.")
    return value


def _product(account: Account, plan: str, name: str) -> Json:
    identifier = f"clawstack_{plan}"
    found = account.find(identifier)
    if found is not None:
        return found
    product = product_object(
        identifier=identifier, name=name, created=account.now, metadata={"plan": plan}, description=None
    )
    return account.create(product, "product.created")


def _price(account: Account, product: Json, key: str, amount: int, interval: str, currency: str) -> str:
    for price in account.every("price", lookup_key=key):
        if (price["unit_amount"], price["currency"]) == (amount, currency):
            return str(price["id"])
        price["lookup_key"] = None
        account.save(price, "price.updated")
    recurring = recurring_hash(interval=interval, interval_count=1, usage_type="licensed", meter=None)
    made = price_object(
        product=product["id"],
        currency=currency,
        unit_amount=amount,
        recurring=recurring,
        created=account.now,
        lookup_key=key,
        metadata={"clawstack_lookup_key": key},
        nickname=None,
        tax_behavior="unspecified",
    )
    return str(account.create(made, "price.created")["id"])
