"""Billing's logic: store an event once, and turn one customer's facts into what is wanted of their tenants.

Everything here runs inside the caller's transaction: rows, desired states, jobs and the events' outcome are committed
together or not at all.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ConflictError
from clawstack.logs import get_logger
from clawstack.plans import Catalogue
from clawstack.vocabulary import Desired
from services.business.billing import jobs, repository
from services.business.billing.claims import Claim, group_by_tenant, with_ended
from services.business.billing.decisions import EXPLAINED, Attention, SubscriptionVerdict, combine, judge
from services.business.billing.facts import CustomerFacts
from services.business.billing.repository import CustomerTurn
from services.business.billing.stripe_events import VerifiedEvent
from services.business.tenants.desired import NewTenant, create_tenant, set_desired
from services.business.tenants.places import usual_place
from services.kit.database.base import utcnow
from services.kit.jobs.queue import defer
from services.tables.billing import Customer, Signup

log = get_logger(__name__)

REFETCHED: Final = "refetched"
IGNORED: Final = "ignored"
NOT_OURS: Final = "not_ours"
"""The Stripe account has customers that never bought anything from this platform."""
SUPERSEDED: Final = "superseded"
"""A refetch that began later has already written."""


class Billing:
    """What payments mean. Holds no state of its own."""

    def __init__(self, *, catalogue: Catalogue, default_substrate: str) -> None:
        """`default_substrate`: where paid tenants run if their plan allows it."""
        self._catalogue = catalogue
        self._default_substrate = default_substrate

    async def record(self, session: AsyncSession, event: VerifiedEvent) -> bool:
        """Store an event and defer what follows from it; False, and nothing deferred, when it is stored already."""
        job = jobs.after(event) if event.acted_upon else None
        if not await repository.insert_event(session, event, outcome=IGNORED if job is None else None):
            return False
        if job is not None:
            await defer(session, job)
        return True

    async def apply(self, session: AsyncSession, turn: CustomerTurn, facts: CustomerFacts) -> str:
        """Write what `facts` mean; returns the outcome recorded on the events that this refetch answers."""
        if not await repository.take_turn(session, turn):
            return SUPERSEDED
        outcome = await self._converge(session, turn, facts)
        await repository.finish_events_of(session, turn, outcome)
        return outcome

    async def _converge(self, session: AsyncSession, turn: CustomerTurn, facts: CustomerFacts) -> str:
        customer = await repository.customer_of(session, facts.stripe_customer_id)
        stored = await repository.subscriptions_of(session, customer.id) if customer is not None else {}
        facts = with_ended(facts, stored)
        claims = [
            Claim(fact=fact, verdict=judge(fact, facts, self._catalogue), stored=stored.get(fact.id))
            for fact in sorted(facts.subscriptions, key=lambda fact: (fact.created, fact.id))
        ]
        await self._find_signups(session, facts, claims)
        claims = [claim for claim in claims if claim.is_ours]
        if customer is None and not claims:
            return NOT_OURS
        customer = await repository.save_customer(session, facts, email=_email_of(facts, claims, customer))
        for claim in claims:
            claim.check_owner(customer.id)
        for group in group_by_tenant(claims):
            await self._settle(session, customer, group)
        for claim in claims:
            await repository.save_subscription(session, claim.row(customer.id, turn.number))
        return await self._call_for_attention(session, claims)

    async def _call_for_attention(self, session: AsyncSession, claims: list[Claim]) -> str:
        outcome = REFETCHED
        for claim in reversed(claims):
            attention = claim.verdict.attention
            if attention is None:
                continue
            outcome = attention.value
            log.error("billing_needs_attention", code=attention.value, subscription=claim.fact.id)
            await repository.tell_operator(
                session,
                key=f"billing:{claim.fact.id}:{attention.value}",
                tenant_id=claim.tenant_id,
                payload={
                    "subscription": claim.fact.id,
                    "code": attention.value,
                    "reason": f"Subscription {claim.fact.id}: {EXPLAINED[attention]}",
                },
            )
        return outcome

    async def _find_signups(self, session: AsyncSession, facts: CustomerFacts, claims: list[Claim]) -> None:
        named = {claim.fact.id: facts.signup_of(claim.fact) for claim in claims}
        # In one order, so that two customers that name the same sign-ups cannot wait for each other.
        wanted = sorted({signup_id for signup_id in named.values() if signup_id is not None})
        found = {signup_id: await repository.signup_of(session, signup_id, lock=True) for signup_id in wanted}
        for claim in claims:
            claim.attach(named[claim.fact.id], found)

    async def _settle(self, session: AsyncSession, customer: Customer, group: list[Claim]) -> None:
        now = combine(claim.verdict for claim in group)
        signup = next((claim.signup for claim in group if claim.signup is not None), None)
        tenant_id = next((claim.tenant_id for claim in group if claim.tenant_id is not None), None)
        if now is None:
            return
        if sum(claim.verdict.wanted is Desired.RUNNING for claim in group) > 1:
            group[0].need(Attention.PAID_TWICE)
        if signup is not None:
            _note_payment(signup, customer, paid=now.wanted is Desired.RUNNING)
        if tenant_id is not None:
            await self._change(session, tenant_id, now, group)
        elif now.wanted is Desired.RUNNING:
            tenant_id = await self._create(session, customer, now, signup, group)
        for claim in group:
            claim.tenant_id = tenant_id

    async def _create(
        self,
        session: AsyncSession,
        customer: Customer,
        now: SubscriptionVerdict,
        signup: Signup | None,
        group: list[Claim],
    ) -> uuid.UUID | None:
        if signup is None or now.plan is None:
            group[-1].need(Attention.NO_SIGNUP)
            return None
        wanted = NewTenant(
            customer_id=customer.id,
            plan=now.plan,
            bundle=signup.bundle,
            bundle_version=signup.bundle_version,
            answers=signup.answers,
            substrate=usual_place(self._catalogue.plan(now.plan), self._default_substrate),
            name_hint=_name_hint(signup),
        )
        signup.tenant_id = (await create_tenant(session, wanted)).id
        log.info("tenant_paid", tenant=str(signup.tenant_id), plan=now.plan, bundle=signup.bundle)
        return signup.tenant_id

    async def _change(
        self, session: AsyncSession, tenant_id: uuid.UUID, now: SubscriptionVerdict, group: list[Claim]
    ) -> None:
        before = combine(claim.before for claim in group if claim.before is not None)
        change = change_of(now, before)
        if change is None:
            return
        try:
            await set_desired(session, tenant_id, state=change.state, plan=change.plan, reason=now.reason or "")
        except ConflictError:
            group[-1].need(Attention.TENANT_GONE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What billing asks of a tenant; None leaves it as it is."""

    state: Desired | None = None
    plan: str | None = None


def change_of(now: SubscriptionVerdict, before: SubscriptionVerdict | None) -> Change | None:
    """What to ask of an existing tenant.

    Taking away is asked for again at every refetch: nobody may keep running what is not paid. Giving is asked for once,
    when payment makes it so; otherwise each refetch would undo an operator's own suspension or change of plan.
    """
    match now.wanted:
        case None:
            return None
        case Desired.SUSPENDED | Desired.ABSENT:
            return Change(state=now.wanted)
        case Desired.RUNNING:
            if before is None or before.wanted is not Desired.RUNNING:
                return Change(state=now.wanted, plan=now.plan)
            return Change(plan=now.plan) if before.plan != now.plan else None


def _note_payment(signup: Signup, customer: Customer, *, paid: bool) -> None:
    signup.customer_id = customer.id
    if paid and signup.paid_at is None:
        signup.paid_at = utcnow()


def _email_of(facts: CustomerFacts, claims: list[Claim], customer: Customer | None) -> str:
    addresses = (
        facts.contact(),
        customer.email if customer is not None else None,
        *(claim.signup.email for claim in claims if claim.signup is not None),
    )
    return next((address for address in addresses if address), "")


def _name_hint(signup: Signup) -> str:
    # The slug appears in logs and labels: it may tell the bundle, never a child's name or an address.
    return signup.bundle
