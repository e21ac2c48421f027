"""Billing's wishes in the provisioner's words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import PermanentError
from clawstack.plans import Catalogue
from services.business.tenants.desired import DesiredState, NewTenant, create_tenant, set_desired


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidTenant:
    """A tenant that somebody paid for and that does not exist yet."""

    customer_id: uuid.UUID
    plan: str
    bundle: str
    bundle_version: str
    answers: Mapping[str, Any]
    name_hint: str


class ProvisionedTenants:
    """Tenants as the provisioner keeps them. Every call takes part in the session's transaction."""

    def __init__(self, *, catalogue: Catalogue, default_substrate: str) -> None:
        self._catalogue = catalogue
        self._default_substrate = default_substrate

    async def create(self, session: AsyncSession, wanted: PaidTenant) -> uuid.UUID:
        """Make the tenant on the default substrate, or on the first that its plan allows."""
        allowed = self._catalogue.plan(wanted.plan).substrates
        tenant = await create_tenant(
            session,
            NewTenant(
                customer_id=wanted.customer_id,
                plan=wanted.plan,
                bundle=wanted.bundle,
                bundle_version=wanted.bundle_version,
                answers=wanted.answers,
                substrate=self._default_substrate if self._default_substrate in allowed else allowed[0],
                name_hint=wanted.name_hint,
            ),
        )
        return tenant.id

    async def set_desired(
        self, session: AsyncSession, tenant_id: uuid.UUID, *, state: str | None, plan: str | None, reason: str
    ) -> bool:
        """Change what is wanted (None: as it is) and have it reconciled; True when that was a change.

        Raises ConflictError when the tenant is deleted and so can never run again.
        """
        return await set_desired(session, tenant_id, state=_state(state), plan=plan, reason=reason)


def _state(value: str | None) -> DesiredState | None:
    for known in get_args(DesiredState):
        if value == known:
            state: DesiredState = known
            return state
    if value is None:
        return None
    raise PermanentError(f"{value!r} is no desired state.", code="unknown_desired_state")
