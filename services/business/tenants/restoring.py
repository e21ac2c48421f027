"""New tenants that begin with an old one's memory."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NotFoundError
from clawstack.plans import Catalogue
from services.business.access.schemas import Principal
from services.business.backups import repository
from services.business.tenants import desired
from services.business.tenants import repository as tenants
from services.business.tenants.desired import NewTenant
from services.business.tenants.places import require_usable
from services.business.tenants.service import require_operator
from services.kit.database.base import utcnow
from services.tables.tenants import Tenant
from tenants.bundles import load_bundle, validate_answers


async def create_from_backup(
    session: AsyncSession,
    principal: Principal,
    location: str,
    *,
    substrate: str | None,
    answers: Mapping[str, str],
    catalogue: Catalogue,
    usable: tuple[str, ...],
) -> Tenant:
    """A tenant like the one that the backup was taken from, for operators: same customer, plan, bundle; a new slug.

    `answers`: in place of those that were erased with the old tenant, or to change them. Raises NotFoundError for an
    unknown backup, InvalidInputError for a substrate that cannot be used and for answers that are missing.
    """
    require_operator(principal, "Restoring a backup", remedy="Ask the operator of the platform.")
    found = await repository.by_location(session, location)
    old = await tenants.by_id(session, found[0].tenant_id) if found else None
    if old is None:
        raise NotFoundError(f"There is no backup at {location}.", remedy="`clawstack backup list` shows them.")
    where = substrate or old.substrate
    require_usable(catalogue.plan(old.plan), where, usable)
    bundle = load_bundle(old.bundle, old.bundle_version)
    wanted = NewTenant(
        customer_id=old.customer_id,
        plan=old.plan,
        bundle=old.bundle,
        bundle_version=old.bundle_version,
        answers=validate_answers(bundle, {**old.answers, **answers}, utcnow().date()),
        substrate=where,
        name_hint=old.slug,
        restore_from=location,
    )
    return await desired.create_tenant(session, wanted)
