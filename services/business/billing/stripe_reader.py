"""Questions to Stripe. Nothing here changes anything there."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

import stripe

from services.business.billing.errors import StripeNotFoundError
from services.business.billing.facts import CustomerFacts, DisputeFact, SessionFact, SubscriptionFact
from services.business.billing.schemas import (
    ChargeAnswer,
    CustomerAnswer,
    DisputeAnswer,
    PriceAnswer,
    SessionAnswer,
    SubscriptionAnswer,
)
from services.business.billing.stripe_access import StripeAccess
from services.business.billing.stripe_events import ACTED_UPON, VerifiedEvent, parse

_PAGE: Final = 100
#: Newest charges of one customer that are looked at for disputes: more than eight years of monthly payments.
_CHARGES: Final = 100
#: Seconds for listing the whole account in a sweep.
_SWEEP_BUDGET: Final = 600.0


class StripeReader:
    """Typed answers to the questions that billing has."""

    def __init__(self, access: StripeAccess) -> None:
        self._access = access

    async def facts(self, stripe_customer_id: str) -> CustomerFacts:
        """Everything that decides about one customer; raises StripeNotFoundError, TemporaryError, PermanentError."""
        async with self._access.exchange() as client:
            answer = CustomerAnswer.model_validate(
                (await client.v1.customers.retrieve_async(stripe_customer_id)).to_dict()
            )
            if answer.deleted:  # Stripe ended everything of theirs; lists may refuse a deleted customer as a filter
                return CustomerFacts(stripe_customer_id=answer.id, deleted=True)
            subscriptions = await client.v1.subscriptions.list_async(
                {"customer": answer.id, "status": "all", "limit": _PAGE}
            )
            sessions = await client.v1.checkout.sessions.list_async({"customer": answer.id, "limit": _PAGE})
            return CustomerFacts(
                stripe_customer_id=answer.id,
                email=answer.email,
                name=answer.name,
                subscriptions=tuple([_subscription(item) async for item in subscriptions.auto_paging_iter()]),
                sessions=tuple([_session(item) async for item in sessions.auto_paging_iter()]),
                disputes=await _disputes(client, answer.id),
            )

    async def customer_of(self, subject: str) -> str | None:
        """The customer behind a charge or a Checkout Session, None when there is none."""
        async with self._access.exchange() as client:
            if subject.startswith("cs_"):
                return _session(await client.v1.checkout.sessions.retrieve_async(subject)).customer_id
            if subject.startswith(("ch_", "py_")):
                charge = await client.v1.charges.retrieve_async(subject)
                return ChargeAnswer.model_validate(charge.to_dict()).customer
        return None

    async def session(self, session_id: str) -> SessionFact | None:
        """A Checkout Session, None when Stripe has none."""
        try:
            async with self._access.exchange() as client:
                return _session(await client.v1.checkout.sessions.retrieve_async(session_id))
        except StripeNotFoundError:
            return None

    async def price_of(self, lookup_key: str) -> PriceAnswer | None:
        """The active price under this key."""
        async with self._access.exchange() as client:
            found = await client.v1.prices.list_async({"lookup_keys": [lookup_key], "active": True, "limit": 1})
            return PriceAnswer.model_validate(found.data[0].to_dict()) if found.data else None

    async def subscription(self, subscription_id: str) -> SubscriptionFact:
        """One subscription as it is now."""
        async with self._access.exchange() as client:
            return _subscription(await client.v1.subscriptions.retrieve_async(subscription_id))

    async def events_since(self, since: datetime) -> list[VerifiedEvent]:
        """Events of the types that are acted upon, newest first. Stripe keeps them for 30 days."""
        async with self._access.exchange(budget=_SWEEP_BUDGET) as client:
            listed = await client.v1.events.list_async(
                {"created": {"gte": int(since.timestamp())}, "types": sorted(ACTED_UPON), "limit": _PAGE}
            )
            return [
                parse(json.dumps(event.to_dict(for_json=True)).encode()) async for event in listed.auto_paging_iter()
            ]

    async def living_subscriptions(self) -> list[SubscriptionFact]:
        """Every subscription of the account that has not ended."""
        async with self._access.exchange(budget=_SWEEP_BUDGET) as client:
            listed = await client.v1.subscriptions.list_async({"limit": _PAGE})
            return [_subscription(item) async for item in listed.auto_paging_iter()]


async def _disputes(client: stripe.StripeClient, customer_id: str) -> tuple[DisputeFact, ...]:
    charges = await client.v1.charges.list_async({"customer": customer_id, "limit": _CHARGES})
    answers = [ChargeAnswer.model_validate(charge.to_dict()) for charge in charges.data]
    found: list[DisputeFact] = []
    for charge in answers:
        if charge.disputed:
            disputes = await client.v1.disputes.list_async({"charge": charge.id, "limit": _PAGE})
            found += [DisputeAnswer.model_validate(item.to_dict()).fact() for item in disputes.data]
    return tuple(found)


def _subscription(item: Any) -> SubscriptionFact:
    return SubscriptionAnswer.model_validate(item.to_dict()).fact()


def _session(item: Any) -> SessionFact:
    return SessionAnswer.model_validate(item.to_dict()).fact()
