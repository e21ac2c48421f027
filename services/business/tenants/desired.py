"""What others may want of tenants: create one, change what is wanted, have it looked at.

Each of these writes rows and defers a reconcile in the caller's transaction; none of them touches a cell.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ConflictError, NotFoundError, PermanentError
from clawstack.naming import suggest_slug
from clawstack.vocabulary import Desired, Observed
from services.business.tenants import repository
from services.kit.database.base import utcnow
from services.kit.jobs.queue import Job, defer
from services.tables.tenants import Tenant
from tenants.substrates.registry import DEFAULT

RECONCILE: Final = "provisioner.reconcile"
_SLUG_TRIES: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTenant:
    """A tenant to be. Plan, bundle and answers are checked by the caller."""

    customer_id: uuid.UUID | None
    plan: str
    bundle: str
    bundle_version: str
    answers: Mapping[str, Any] = field(default_factory=dict)
    substrate: str | None = None
    """None: the platform's default."""
    name_hint: str = ""
    """Text that the slug shall remind of."""
    restore_from: str | None = None
    """Location of a backup that the assistant shall start with."""


async def create_tenant(session: AsyncSession, wanted: NewTenant, *, default_substrate: str = DEFAULT) -> Tenant:
    """A new tenant that wants to run, with a slug of its own; its first reconcile is deferred."""
    for _ in range(_SLUG_TRIES):
        values = {
            "slug": suggest_slug(wanted.name_hint or wanted.bundle),
            "customer_id": wanted.customer_id,
            "plan": wanted.plan,
            "bundle": wanted.bundle,
            "bundle_version": wanted.bundle_version,
            "substrate": wanted.substrate or default_substrate,
            "answers": dict(wanted.answers),
            "desired_state": Desired.RUNNING.value,
            "restore_from": wanted.restore_from,
        }
        tenant = await repository.add(session, values)
        if tenant is not None:
            await request_reconcile(session, tenant.id)
            return tenant
    raise PermanentError(f"No free slug was found in {_SLUG_TRIES} tries.", code="no_free_slug")


async def set_desired(
    session: AsyncSession,
    tenant_id: uuid.UUID,
    *,
    state: Desired | None = None,
    plan: str | None = None,
    substrate: str | None = None,
    reason: str | None = None,
    settings: Mapping[str, Any] | None = None,
    restart: bool = False,
    skip_backup: bool | None = None,
) -> bool:
    """Change what is wanted; None leaves a value as it is. True when something changed: then a reconcile is deferred.

    Raises NotFoundError, and ConflictError when a tenant that is (to be) deleted is wanted otherwise: the slug of a
    deleted tenant never lives again.
    """
    tenant = await _locked(session, tenant_id)
    wanted = _wanted(state=state, plan=plan, settings=settings, restart=restart, skip_backup=skip_backup)
    wanted |= {} if substrate is None else {"substrate": substrate}
    changes = {name: value for name, value in wanted.items() if getattr(tenant, name) != value}
    if not changes:
        return False
    if tenant.desired_state == Desired.ABSENT and set(changes) - {"skip_backup"}:
        raise _already_leaving(tenant)
    for name, value in changes.items():
        setattr(tenant, name, value)
    if reason is not None:
        tenant.desired_reason = reason
    tenant.generation += 1
    await _start_over(session, tenant)
    return True


async def request_reconcile(session: AsyncSession, tenant_id: uuid.UUID, at: datetime | None = None) -> None:
    """Have the tenant's cell compared with what is wanted, at once or `at` a moment; requests are merged."""
    await defer(
        session,
        Job(
            task=RECONCILE,
            args={"tenant_id": str(tenant_id)},
            lock=f"cell:{tenant_id}",
            queueing_lock=f"reconcile:{tenant_id}",
            scheduled_at=at,
        ),
    )


async def request_backup(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """Have a verified backup made of the cell as it is, running or suspended.

    Raises NotFoundError, ConflictError for a tenant whose cell is going or was never built.
    """
    tenant = await _locked(session, tenant_id)
    if tenant.desired_state == Desired.ABSENT:
        raise _already_leaving(tenant)
    if tenant.observed_state == Observed.ABSENT:
        raise ConflictError(
            f"Tenant {tenant.slug} was not built yet: there is nothing to back up.",
            code="nothing_to_back_up",
            remedy="Wait until it is healthy.",
        )
    tenant.backup_nonce = secrets.token_hex(8)
    await _start_over(session, tenant)


async def retry_now(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """Try again at once, whatever failed before: for the operator who has mended the cause."""
    await _start_over(session, await _locked(session, tenant_id))


async def _start_over(session: AsyncSession, tenant: Tenant) -> None:
    tenant.failures = 0
    tenant.retry_at = None
    tenant.blocked_generation = None
    tenant.updated_at = utcnow()
    await request_reconcile(session, tenant.id)


async def _locked(session: AsyncSession, tenant_id: uuid.UUID) -> Tenant:
    tenant = await repository.locked(session, tenant_id)
    if tenant is None:
        raise NotFoundError(f"There is no tenant {tenant_id}.")
    return tenant


def _wanted(
    *,
    state: Desired | None,
    plan: str | None,
    settings: Mapping[str, Any] | None,
    restart: bool,
    skip_backup: bool | None,
) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "desired_state": None if state is None else Desired(state).value,
        "plan": plan,
        "settings": None if settings is None else dict(settings),
        "restart_nonce": secrets.token_hex(8) if restart else None,
        "skip_backup": skip_backup,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _already_leaving(tenant: Tenant) -> ConflictError:
    gone = "is deleted" if tenant.deleted_at is not None else "is being deleted"
    return ConflictError(
        f"Tenant {tenant.slug} {gone} and cannot be changed.",
        code="tenant_deleted",
        remedy="Create a new tenant; a backup of the old one can be restored into it.",
    )
