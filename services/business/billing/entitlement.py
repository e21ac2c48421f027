"""May this tenant run? For whoever resumes or changes a tenant on a customer's or an operator's wish."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.vocabulary import Desired
from services.business.billing import repository
from services.business.billing.decisions import SubscriptionVerdict, combine, wish_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Entitlement:
    """Whether payment allows a tenant to run, and if not, why: a sentence for the customer."""

    allowed: bool
    reason: str | None = None


async def entitlement_of(session: AsyncSession, tenant_id: uuid.UUID) -> Entitlement:
    """What was last fetched from Stripe says about a tenant. One without any subscription was made by an operator."""
    rows = await repository.latest_for_tenant(session, tenant_id)
    verdict = combine(
        SubscriptionVerdict(
            wanted=wish_of(row.wanted), created=row.stripe_created_at, plan=row.plan, reason=row.wanted_reason
        )
        for row in rows
    )
    if verdict is None or verdict.wanted in {Desired.RUNNING, None}:
        return Entitlement(allowed=True)
    return Entitlement(allowed=False, reason=verdict.reason)
