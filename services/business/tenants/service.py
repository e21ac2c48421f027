"""What may be done with tenants, through `/v1` and at the terminal alike: who may, and what it means.

Every function takes part in the caller's transaction.
"""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ConflictError, InvalidInputError, NotFoundError, PermissionDeniedError
from clawstack.naming import require_slug
from clawstack.plans import Catalogue, Plan
from clawstack.vocabulary import Desired
from services.business.access import repository as customers
from services.business.access.schemas import Principal
from services.business.backups import repository as backups
from services.business.tenants import desired, operations, repository
from services.business.tenants.desired import NewTenant
from services.business.tenants.places import require_usable, usual_place
from services.business.tenants.schemas import TenantPatch, TenantRequest, TenantSettings
from services.tables.states import may_be_used
from services.tables.tenants import Operation, Tenant
from tenants.bundles import load_bundle, validate_answers


async def find(session: AsyncSession, principal: Principal, slug: str) -> Tenant:
    """The tenant; raises InvalidInputError for what is no slug, NotFoundError for one that the caller may not see."""
    tenant = await repository.by_slug(session, require_slug(slug))
    if tenant is None:
        raise NotFoundError(f"There is no tenant {slug}.")
    principal.require_sight(tenant.customer_id, what=f"tenant {slug}")
    return tenant


async def create(
    session: AsyncSession,
    principal: Principal,
    wanted: TenantRequest,
    *,
    catalogue: Catalogue,
    default_substrate: str,
    usable: tuple[str, ...],
    today: date,
) -> Tenant:
    """A tenant without a payment, for operators. Plan, bundle, answers, substrate and backup are checked here."""
    require_operator(principal, "Creating a tenant", remedy="Sign up: a paid checkout creates the tenant.")
    plan = catalogue.plan(wanted.plan)
    bundle = load_bundle(wanted.bundle, wanted.bundle_version)
    await _require_customer(session, wanted.customer_id)
    return await desired.create_tenant(
        session,
        NewTenant(
            customer_id=wanted.customer_id,
            plan=plan.key,
            bundle=bundle.name,
            bundle_version=bundle.version,
            answers=validate_answers(bundle, wanted.answers, today),
            substrate=_substrate(wanted.substrate, plan, default_substrate, usable),
            name_hint=wanted.name,
            restore_from=await _require_backup(session, wanted.restore_from),
        ),
    )


async def change(
    session: AsyncSession,
    principal: Principal,
    slug: str,
    patch: TenantPatch,
    *,
    catalogue: Catalogue,
    usable: tuple[str, ...],
) -> bool:
    """Change plan (operators: customers do that where they pay), substrate (operators) or settings.

    `usable`: substrates of this installation. True when something changed.
    """
    tenant = await find(session, principal, slug)
    if patch.plan is not None and patch.plan != tenant.plan:
        require_operator(principal, "Changing the plan", remedy="Change the subscription in the customer portal.")
    if patch.substrate is not None and patch.substrate != tenant.substrate:
        require_operator(principal, "Moving a cell", remedy="Ask the operator of the platform.")
    plan = catalogue.plan(patch.plan or tenant.plan)
    if patch.plan is not None or patch.substrate is not None:
        require_usable(plan, patch.substrate or tenant.substrate, usable)
    _require_model(patch.settings, plan)
    settings = None if patch.settings is None else patch.settings.model_dump(exclude_none=True)
    return await desired.set_desired(session, tenant.id, plan=patch.plan, substrate=patch.substrate, settings=settings)


async def move(
    session: AsyncSession,
    principal: Principal,
    slug: str,
    substrate: str,
    *,
    catalogue: Catalogue,
    usable: tuple[str, ...],
    reason: str | None = None,
) -> bool:
    """Have the cell moved to another substrate with its state, for operators; True when that is a change."""
    tenant = await find(session, principal, slug)
    require_operator(principal, "Moving a cell", remedy="Ask the operator of the platform.")
    require_usable(catalogue.plan(tenant.plan), substrate, usable)
    return await desired.set_desired(session, tenant.id, substrate=substrate, reason=reason)


async def want(
    session: AsyncSession,
    principal: Principal,
    slug: str,
    state: Desired,
    *,
    reason: str | None = None,
    skip_backup: bool = False,
) -> tuple[Tenant, bool]:
    """Want a tenant running, suspended or absent, for operators; customers decide that by their subscription.

    Wanting the same again tries again what waits for somebody to act.
    """
    tenant = await find(session, principal, slug)
    remedy = "Change or cancel the subscription in the customer portal; the tenant follows it."
    require_operator(principal, f"Setting a tenant {state}", remedy=remedy)
    said = reason or f"{state} by operator {principal.name}"
    changed = await desired.set_desired(session, tenant.id, state=state, reason=said, skip_backup=skip_backup or None)
    if not changed and tenant.blocked_generation is not None:
        await desired.retry_now(session, tenant.id)
    return await find(session, principal, slug), changed


async def again(session: AsyncSession, principal: Principal, slug: str) -> Tenant:
    """Bring a tenant to what is wanted at once, whatever failed before: for the operator who has mended the cause."""
    tenant = await find(session, principal, slug)
    require_operator(principal, "Trying again", remedy="Ask the operator of the platform.")
    await desired.retry_now(session, tenant.id)
    return tenant


async def back_up(session: AsyncSession, principal: Principal, slug: str) -> Tenant:
    """Have a verified backup made of the cell as it is, for operators; raises ConflictError when there is no cell."""
    tenant = await find(session, principal, slug)
    require_operator(principal, "Making a backup", remedy="Ask the operator of the platform.")
    await desired.request_backup(session, tenant.id)
    return tenant


async def restart(session: AsyncSession, principal: Principal, slug: str) -> Tenant:
    """Restart a tenant that runs, and try again one that waits for somebody to act."""
    tenant = await find(session, principal, slug)
    if not may_be_used(tenant.desired_state):
        raise ConflictError(
            f"Tenant {slug} is wanted {tenant.desired_state}; only a running one can be restarted.",
            code="not_running",
            remedy="Resume it first.",
        )
    await desired.set_desired(session, tenant.id, restart=True)
    return tenant


def refuse_reset(tenant: Tenant) -> ConflictError:
    """Why the assistant's sessions cannot be reset from here."""
    return ConflictError(
        f"The conversation of {tenant.slug} cannot be reset from outside.",
        code="reset_unavailable",
        remedy="Send /new to the assistant in the chat: it starts a fresh conversation and keeps its memory.",
    )


async def find_operation(session: AsyncSession, principal: Principal, operation_id: uuid.UUID) -> tuple[Operation, str]:
    """The operation and its tenant's slug; raises NotFoundError for one that the caller may not see."""
    found = await operations.with_tenant(session, operation_id)
    if found is None:
        raise NotFoundError(f"There is no operation {operation_id}.", remedy="List operations to see their ids.")
    operation, tenant = found
    principal.require_sight(tenant.customer_id, what=f"operation {operation_id}")
    return operation, tenant.slug


async def cancel(session: AsyncSession, principal: Principal, operation_id: uuid.UUID) -> tuple[Operation, str]:
    """Ask a running operation to stop, for operators; raises ConflictError when it is over."""
    operation, _ = await find_operation(session, principal, operation_id)
    require_operator(principal, "Cancelling an operation", remedy="Ask the operator of the platform.")
    if not await operations.request_cancel(session, operation_id):
        raise ConflictError(
            f"Operation {operation_id} is over ({operation.status}); there is nothing to stop.",
            code="operation_finished",
        )
    return await find_operation(session, principal, operation_id)


def require_operator(principal: Principal, what: str, *, remedy: str) -> None:
    """Raises PermissionDeniedError for customers."""
    if principal.kind != "operator":
        raise PermissionDeniedError(f"{what} is for operators.", code="operators_only", remedy=remedy)


async def _require_customer(session: AsyncSession, customer_id: uuid.UUID | None) -> None:
    if customer_id is not None and not await customers.customer_exists(session, customer_id):
        raise InvalidInputError(
            f"There is no customer {customer_id}.",
            code="unknown_customer",
            remedy="Leave it out or give a customer's id.",
        )


async def _require_backup(session: AsyncSession, location: str | None) -> str | None:
    if location is not None and await backups.by_location(session, location) is None:
        raise NotFoundError(f"There is no backup at {location}.", remedy="`clawstack backup list` shows them.")
    return location


def _substrate(wanted: str | None, plan: Plan, default: str, usable: tuple[str, ...]) -> str:
    chosen = wanted or usual_place(plan, default)
    require_usable(plan, chosen, usable)
    return chosen


def _require_model(settings: TenantSettings | None, plan: Plan) -> None:
    if settings is None or settings.primary_model is None or settings.primary_model in plan.models:
        return
    allowed = ", ".join(plan.models)
    raise InvalidInputError(
        f"Plan {plan.key} does not include the model {settings.primary_model!r}.",
        code="model_not_in_plan",
        remedy=f"Choose one of: {allowed}.",
    )
