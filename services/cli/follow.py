"""Following an operation from the command line: its events as they come, and how it ended."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rich.markup import escape
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.vocabulary import RESTING, STUCK, TenantState
from services.business.tenants import operations
from services.cells.context import CellPlatform
from services.cli.output import Output
from services.cli.reading import tenant_by_slug
from services.kit.jobs.queue import worker_is_alive
from services.tables.tenants import Tenant

_POLL_SECONDS: Final = 0.25
_WORKER_SILENT_AFTER: Final = timedelta(seconds=20)


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowOutcome:
    """Where a tenant came to rest."""

    slug: str
    state: str
    code: str | None
    reason: str | None


async def require_worker(session: AsyncSession) -> None:
    """Raises TemporaryError when no worker shows life: what was asked for would wait forever."""
    if not await worker_is_alive(session, within=_WORKER_SILENT_AFTER):
        raise TemporaryError(
            "No worker is running, so nothing will be done about it yet.",
            code="no_worker",
            remedy="Start one: `clawstack serve` (or `clawstack serve --role worker`); what is wanted has been recorded.",
        )


async def follow_tenant(platform: CellPlatform, slug: str, output: Output, *, patience: timedelta) -> FollowOutcome:
    """Show events until the tenant rests; raises NeedsAttentionError when it ends badly, TemporaryError on time-out."""
    async with platform.database.transaction() as session:
        tenant = await tenant_by_slug(session, slug)
        await require_worker(session)
        seen = await operations.last_row(session, tenant.id)
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    while asyncio.get_running_loop().time() < deadline:
        async with platform.database.transaction() as session:
            tenant = await tenant_by_slug(session, slug)
            seen = await _show_events(session, tenant.id, seen, output)
        if _rests(tenant):
            return _outcome(tenant)
        await asyncio.sleep(_POLL_SECONDS)
    raise TemporaryError(
        f"{slug} is still {tenant.state} after {patience.total_seconds():.0f} s.",
        code="still_running",
        remedy=f"It goes on without this command; `clawstack tenants show {slug}` tells more.",
    )


async def _show_events(session: AsyncSession, tenant_id: uuid.UUID, after: int, output: Output) -> int:
    for event in await operations.tenant_events_after(session, tenant_id, row=after, limit=None):
        output.line(f"  [dim]{event.created_at:%H:%M:%S}[/dim] {escape(event.message)}")
        after = event.id
    return after


def _rests(tenant: Tenant) -> bool:
    if tenant.state in STUCK:
        # Else the state is that of an earlier try, and the next one is due.
        return tenant.blocked_generation == tenant.generation or tenant.failures > 0
    backed_up = tenant.state == TenantState.DELETED or tenant.backup_nonce == tenant.observed.get("backup_nonce", "")
    return tenant.state in RESTING and tenant.observed_generation == tenant.generation and backed_up


def _outcome(tenant: Tenant) -> FollowOutcome:
    if tenant.state in STUCK:
        raise NeedsAttentionError(
            f"{tenant.slug} is {tenant.state}: {tenant.state_reason or 'no reason was recorded'}",
            code=tenant.state_code or tenant.state,
            remedy=f"Mend the cause, then `clawstack tenants up {tenant.slug}`.",
        )
    return FollowOutcome(slug=tenant.slug, state=tenant.state, code=tenant.state_code, reason=tenant.state_reason)
