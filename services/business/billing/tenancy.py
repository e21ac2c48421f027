"""Billing's wishes in the provisioner's words."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.plans import Catalogue
from clawstack.vocabulary import Desired
from services.business.billing.ports import PaidTenant
from services.business.tenants.desired import NewTenant, create_tenant, set_desired
from services.business.tenants.places import usual_place


class ProvisionedTenants:
    """Tenants as the provisioner keeps them."""

    def __init__(self, *, catalogue: Catalogue, default_substrate: str) -> None:
        self._catalogue = catalogue
        self._default_substrate = default_substrate

    async def create(self, session: AsyncSession, wanted: PaidTenant) -> uuid.UUID:
        """Make the tenant on the default substrate, or on the first that its plan allows."""
        tenant = await create_tenant(
            session,
            NewTenant(
                customer_id=wanted.customer_id,
                plan=wanted.plan,
                bundle=wanted.bundle,
                bundle_version=wanted.bundle_version,
                answers=wanted.answers,
                substrate=usual_place(self._catalogue.plan(wanted.plan), self._default_substrate),
                name_hint=wanted.name_hint,
            ),
        )
        return tenant.id

    async def set_desired(
        self, session: AsyncSession, tenant_id: uuid.UUID, *, state: Desired | None, plan: str | None, reason: str
    ) -> bool:
        """Change what is wanted; True when that was a change."""
        return await set_desired(session, tenant_id, state=state, plan=plan, reason=reason)
