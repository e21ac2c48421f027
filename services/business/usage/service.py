"""What a customer's tenants used, for the customer."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.plans import Catalogue
from services.business.access import repository
from services.business.access.errors import not_a_customer
from services.business.access.schemas import MyUsage, Principal, TenantUsage
from services.traffic.ledger.usage import checked_period, usage_of


async def usage_of_customer(
    session: AsyncSession, principal: Principal, catalogue: Catalogue, period: str | None
) -> MyUsage:
    """Usage of every tenant that is the principal's own; raises PermissionDeniedError for an operator, InvalidInputError."""
    if principal.customer_id is None:
        raise not_a_customer()
    period = checked_period(period)
    tenants = [
        TenantUsage(
            slug=tenant.slug,
            plan=tenant.plan,
            usage=await usage_of(session, tenant.id, catalogue.plan(tenant.plan), period),
        )
        for tenant in await repository.tenants_of(session, principal.customer_id)
    ]
    return MyUsage(period=period, tenants=tenants)
