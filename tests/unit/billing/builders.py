"""Facts as tests need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.business.billing.facts import CustomerFacts, PriceFact, SubscriptionFact

START = datetime(2026, 11, 1, tzinfo=UTC)


def subscription(
    status: str = "active",
    *,
    key: str | None = "clawstack_starter_month",
    id: str = "sub_1",  # noqa: A002 - Stripe's word
    created: datetime = START,
    signup_id: str | None = "signup-1",
) -> SubscriptionFact:
    prices = (PriceFact(id="price_1", lookup_key=key),) if key is not None else (PriceFact(id="price_x"),)
    return SubscriptionFact(
        id=id,
        customer_id="cus_1",
        status=status,
        created=created,
        prices=prices,
        item_ids=("si_1",),
        signup_id=signup_id,
        current_period_end=created + timedelta(days=30),
    )


def facts(*subscriptions: SubscriptionFact, **other: object) -> CustomerFacts:
    return CustomerFacts(stripe_customer_id="cus_1", subscriptions=subscriptions, **other)  # type: ignore[arg-type]
