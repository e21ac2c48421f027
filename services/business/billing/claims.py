"""One subscription's claim on a tenant, while a customer's facts are being applied."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from services.business.billing.decisions import Attention, SubscriptionVerdict, stored_wish, wish_of
from services.business.billing.facts import CustomerFacts, PriceFact, SubscriptionFact
from services.tables.billing import Signup, Subscription


@dataclass(kw_only=True, slots=True)
class Claim:
    """A subscription as fetched, what it wants, and what was known of it before."""

    fact: SubscriptionFact
    verdict: SubscriptionVerdict
    stored: Subscription | None
    signup_id: str | None = None
    signup: Signup | None = None
    tenant_id: uuid.UUID | None = None

    @property
    def before(self) -> SubscriptionVerdict | None:
        """What it wanted when it was last applied."""
        if self.stored is None:
            return None
        return SubscriptionVerdict(
            wanted=wish_of(self.stored.wanted),
            created=self.stored.stripe_created_at,
            plan=self.stored.plan,
            reason=self.stored.wanted_reason,
        )

    @property
    def is_ours(self) -> bool:
        """False for subscriptions to something else that the same Stripe account sells."""
        return self.verdict.plan is not None or self.signup is not None or self.stored is not None

    def attach(self, signup_id: str | None, found: Mapping[str, Signup | None]) -> None:
        """Join the claim with the sign-up that it names and the tenant that it already pays for."""
        self.signup = found.get(signup_id) if signup_id is not None else None
        self.signup_id = signup_id if self.signup is not None else None
        if signup_id is not None and self.signup is None:
            self.need(Attention.UNKNOWN_SIGNUP)
        known = self.stored.tenant_id if self.stored is not None else None
        self.tenant_id = known or (self.signup.tenant_id if self.signup is not None else None)

    def check_owner(self, customer_id: uuid.UUID) -> None:
        """A sign-up pays for one customer's tenant; another customer who names it gets nothing."""
        if self.signup is None or self.signup.customer_id in {None, customer_id}:
            return
        self.signup = self.signup_id = self.tenant_id = None
        self.verdict = replace(self.verdict, wanted=None)
        self.need(Attention.SIGNUP_TAKEN)

    def need(self, attention: Attention) -> None:
        """Call an operator; the first reason given stands."""
        if self.verdict.attention is None:
            self.verdict = replace(self.verdict, attention=attention)

    def row(self, customer_id: uuid.UUID, turn: int) -> dict[str, Any]:
        """The values to store."""
        fact, verdict = self.fact, self.verdict
        return {
            "id": fact.id,
            "customer_id": customer_id,
            "tenant_id": self.tenant_id,
            "signup_id": self.signup_id,
            "status": fact.status,
            "price_lookup_key": next((price.lookup_key for price in fact.prices if price.lookup_key), None),
            "plan": verdict.plan,
            "period": verdict.period.value if verdict.period else None,
            "current_period_end": fact.current_period_end,
            "cancel_at_period_end": fact.ends_at_period_end,
            "disputed_at": verdict.disputed_at,
            "wanted": stored_wish(verdict.wanted),
            "wanted_reason": verdict.reason,
            "attention": verdict.attention.value if verdict.attention else None,
            "stripe_created_at": fact.created,
            "fetch_version": turn,
            "fetched_at": datetime.now(UTC),
        }


def group_by_tenant(claims: list[Claim]) -> list[list[Claim]]:
    """Claims on one tenant, existing or to be made, together."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(str(claim.tenant_id or claim.signup_id or claim.fact.id), []).append(claim)
    return list(groups.values())


def with_ended(facts: CustomerFacts, stored: Mapping[str, Subscription]) -> CustomerFacts:
    """`facts` with the stored subscriptions of a deleted customer, which Stripe ends and no longer lists."""
    if not facts.deleted:
        return facts
    listed = {fact.id for fact in facts.subscriptions}
    ended = tuple(_ended(row, facts.stripe_customer_id) for row in stored.values() if row.id not in listed)
    return replace(facts, subscriptions=facts.subscriptions + ended)


def _ended(row: Subscription, stripe_customer_id: str) -> SubscriptionFact:
    return SubscriptionFact(
        id=row.id,
        customer_id=stripe_customer_id,
        status="canceled",
        created=row.stripe_created_at,
        prices=(PriceFact(id="", lookup_key=row.price_lookup_key),),
        signup_id=row.signup_id,
        current_period_end=row.current_period_end,
    )
