"""Products and prices at Stripe, brought to what the catalogue says: `clawstack admin stripe-setup`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import stripe

from clawstack.plans import Catalogue, Period, Plan
from services.business.billing.errors import StripeNotFoundError, translated
from services.business.billing.schemas import LOOKUP_KEY_METADATA, PriceAnswer
from services.business.billing.stripe_access import StripeAccess


class PriceAction(StrEnum):
    """What was done about one price."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    """An amount changed: prices cannot be edited, so a new one took the lookup key. Old subscribers keep the old one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceResult:
    """One line of the report."""

    lookup_key: str
    price_id: str
    amount: int
    """In the currency's smallest unit."""
    action: PriceAction


async def ensure_prices(access: StripeAccess, catalogue: Catalogue) -> list[PriceResult]:
    """Make Stripe sell what the catalogue lists. Safe to repeat; only what differs is changed."""
    results: list[PriceResult] = []
    async with access.exchange() as client:
        for plan in catalogue.plans.values():
            product = await _ensure_product(client, plan)
            results += [await _ensure_price(client, catalogue, plan, period, product) for period in plan.prices]
    return results


async def _ensure_product(client: stripe.StripeClient, plan: Plan) -> str:
    product_id = f"clawstack_{plan.key}"
    try:
        with translated():
            product = await client.v1.products.retrieve_async(product_id)
    except StripeNotFoundError:
        # Its id is our own: a repetition finds it instead of making another.
        await client.v1.products.create_async({"id": product_id, "name": plan.title, "description": plan.summary})
        return product_id
    if product.name != plan.title or product.description != plan.summary or not product.active:
        await client.v1.products.update_async(
            product_id, {"name": plan.title, "description": plan.summary, "active": True}
        )
    return product_id


async def _ensure_price(
    client: stripe.StripeClient, catalogue: Catalogue, plan: Plan, period: Period, product: str
) -> PriceResult:
    lookup_key, amount = plan.lookup_key(period), plan.prices[period]
    found = await client.v1.prices.list_async({"lookup_keys": [lookup_key], "limit": 1})
    old = PriceAnswer.model_validate(found.data[0].to_dict()) if found.data else None
    if old is not None and (old.active, old.unit_amount, old.currency) == (True, amount, catalogue.currency):
        return PriceResult(lookup_key=lookup_key, price_id=old.id, amount=amount, action=PriceAction.UNCHANGED)
    # The old price is part of the key: from A to B and back to A within a day are two changes, not one repeated.
    cause = f"clawstack-price-{lookup_key}-{catalogue.currency}-{amount}-after-{old.id if old else 'none'}"
    price = await client.v1.prices.create_async(
        {
            "product": product,
            "currency": catalogue.currency,
            "unit_amount": amount,
            "recurring": {"interval": period.value},
            "lookup_key": lookup_key,
            "transfer_lookup_key": True,
            "nickname": f"{plan.title}, per {period.value}",
            "metadata": {LOOKUP_KEY_METADATA: lookup_key},
        },
        {"idempotency_key": cause},
    )
    if old is not None:
        # No longer for sale; whoever has it keeps it, and is known by its metadata.
        await client.v1.prices.update_async(old.id, {"active": False, "metadata": {LOOKUP_KEY_METADATA: lookup_key}})
    action = PriceAction.REPLACED if old is not None else PriceAction.CREATED
    return PriceResult(lookup_key=lookup_key, price_id=price.id, amount=amount, action=action)
