"""What billing needs of other nouns, as it sees them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.vocabulary import Desired


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidTenant:
    """A tenant that somebody paid for and that does not exist yet."""

    customer_id: uuid.UUID
    plan: str
    bundle: str
    bundle_version: str
    answers: Mapping[str, Any]
    name_hint: str


class Tenants(Protocol):
    """The one who keeps tenants. Both calls take part in the session's transaction."""

    async def create(self, session: AsyncSession, wanted: PaidTenant) -> uuid.UUID:
        """Make the tenant, to be running, and have it reconciled."""
        ...

    async def set_desired(
        self, session: AsyncSession, tenant_id: uuid.UUID, *, state: Desired | None, plan: str | None, reason: str
    ) -> bool:
        """Change what is wanted (None: as it is) and have it reconciled; True when that was a change.

        Raises ConflictError when the tenant is deleted and so can never run again.
        """
        ...
