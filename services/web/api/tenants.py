"""`/v1/tenants`: see tenants and say what is wanted of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from clawstack.vocabulary import Desired, TenantState
from services.business.access.schemas import Principal, Scope
from services.business.tenants import operations, repository, service, streams
from services.business.tenants.schemas import (
    Accepted,
    EventView,
    LogView,
    Page,
    TenantPatch,
    TenantRequest,
    TenantView,
    UsageView,
)
from services.cells.provisioner.assembly import cell_secrets
from services.kit.http.intake import BoundedRoute
from services.kit.http.openapi import STREAMS
from services.kit.http.streams import CountedStream
from services.traffic.ledger.usage import usage_of
from services.web.api.paging import Limit, Offset
from services.web.api.parameters import LastEventId, Period, Slug
from services.web.dependencies.callers import requires
from services.web.dependencies.process import PlatformDep, SessionDep, TodayDep
from services.web.dependencies.services import DriversDep, SlotsDep, WatchDep

router = APIRouter(route_class=BoundedRoute, prefix="/v1/tenants", tags=["tenants"])

Reader = Annotated[Principal, requires(Scope.TENANTS_READ)]
Writer = Annotated[Principal, requires(Scope.TENANTS_WRITE)]
UsageReader = Annotated[Principal, requires(Scope.USAGE_READ)]


@router.get("")
async def list_tenants(
    principal: Reader,
    session: SessionDep,
    state: Annotated[TenantState | None, Query(description="Only tenants in this state.")] = None,
    plan: Annotated[str | None, Query(description="Only tenants of this plan.")] = None,
    include_deleted: Annotated[bool, Query(description="Also those whose cell is gone.")] = False,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page[TenantView]:
    """Tenants that the caller may see, newest first."""
    rows, total = await repository.page(
        session,
        customer_id=principal.customer_id,
        state=state.value if state else None,
        plan=plan,
        include_deleted=include_deleted,
        limit=limit,
        offset=offset,
    )
    return Page(items=[TenantView.of(row) for row in rows], total=total, limit=limit, offset=offset)


@router.post("", status_code=201)
async def create_tenant(
    wanted: TenantRequest,
    principal: Writer,
    session: SessionDep,
    platform: PlatformDep,
    drivers: DriversDep,
    today: TodayDep,
) -> TenantView:
    """Make a tenant without a payment (operators); it is built at once."""
    tenant = await service.create(
        session,
        principal,
        wanted,
        catalogue=platform.catalogue,
        default_substrate=platform.settings.default_substrate,
        usable=drivers.usable(),
        today=today,
    )
    return TenantView.of(tenant)


@router.get("/{slug}")
async def read_tenant(slug: Slug, principal: Reader, session: SessionDep) -> TenantView:
    """One tenant."""
    return TenantView.of(await service.find(session, principal, slug))


@router.patch("/{slug}")
async def patch_tenant(
    slug: Slug, patch: TenantPatch, principal: Writer, session: SessionDep, platform: PlatformDep, drivers: DriversDep
) -> Accepted:
    """Change plan (operators) or settings; the cell follows."""
    changed = await service.change(
        session, principal, slug, patch, catalogue=platform.catalogue, usable=drivers.usable()
    )
    return Accepted(tenant=TenantView.of(await service.find(session, principal, slug)), changed=changed)


@router.delete("/{slug}", status_code=202)
async def delete_tenant(
    slug: Slug,
    principal: Writer,
    session: SessionDep,
    skip_backup: Annotated[bool, Query(description="Without a backup before.")] = False,
) -> Accepted:
    """Destroy the tenant's stack after a verified backup (operators). `skip_backup`: without one."""
    tenant, changed = await service.want(session, principal, slug, Desired.ABSENT, skip_backup=skip_backup)
    return Accepted(tenant=TenantView.of(tenant), changed=changed)


@router.post("/{slug}/suspend", status_code=202)
async def suspend(slug: Slug, principal: Writer, session: SessionDep) -> Accepted:
    """Stop the gateway and keep its memory (operators)."""
    tenant, changed = await service.want(session, principal, slug, Desired.SUSPENDED)
    return Accepted(tenant=TenantView.of(tenant), changed=changed)


@router.post("/{slug}/resume", status_code=202)
async def resume(slug: Slug, principal: Writer, session: SessionDep) -> Accepted:
    """Let a suspended tenant run again (operators)."""
    tenant, changed = await service.want(session, principal, slug, Desired.RUNNING)
    return Accepted(tenant=TenantView.of(tenant), changed=changed)


@router.post("/{slug}/restart", status_code=202)
async def restart(slug: Slug, principal: Writer, session: SessionDep) -> Accepted:
    """Restart the gateway; also tries again what waits for somebody to act."""
    tenant = await service.restart(session, principal, slug)
    return Accepted(tenant=TenantView.of(tenant), changed=True)


@router.post("/{slug}/reset", status_code=202)
async def reset(slug: Slug, principal: Writer, session: SessionDep) -> Accepted:
    """Start a fresh conversation. Not possible from outside yet: answers 409 and says what to do instead."""
    raise service.refuse_reset(await service.find(session, principal, slug))


@router.get("/{slug}/logs", response_model=LogView, responses=STREAMS)
async def logs(
    slug: Slug,
    principal: Reader,
    platform: PlatformDep,
    drivers: DriversDep,
    slots: SlotsDep,
    request: Request,
    lines: Annotated[int, Query(ge=1, le=2000, description="How many of the last lines.")] = 200,
) -> Response | LogView:
    """The end of the gateway's log, without secrets; with `Accept: text/event-stream` a stream that goes on."""
    async with platform.database.transaction() as session:  # over before the cell is asked, which may take its time
        tenant = await service.find(session, principal, slug)
        for name in cell_secrets():  # opened, so that the redactor of this process knows them
            await platform.vault.get(session, tenant.id, name)
    driver = drivers.of(tenant.runs_on)
    if streams.is_wanted(request.headers.get("accept", "")):
        followed = driver.follow_logs(tenant.slug, lines=lines)
        lines_of = streams.log_stream(followed, platform.redactor)
        return CountedStream(lines_of, slots=slots, listener=principal.key)
    found = await driver.logs(tenant.slug, lines=lines)
    return LogView(lines=[platform.redactor.text(line) for line in found])


@router.get("/{slug}/events", response_model=list[EventView], responses=STREAMS)
async def events(
    slug: Slug,
    principal: Reader,
    session: SessionDep,
    watch: WatchDep,
    slots: SlotsDep,
    request: Request,
    limit: Limit = 100,
    last_event_id: LastEventId = None,
) -> Response | list[EventView]:
    """What was done to the tenant: a list, or with `Accept: text/event-stream` a stream that goes on."""
    tenant = await service.find(session, principal, slug)
    if not streams.is_wanted(request.headers.get("accept", "")):
        return [EventView.of(row) for row in await operations.tenant_events(session, tenant.id, limit=limit)]
    after = streams.resume_point(last_event_id)
    followed = streams.tenant_stream(watch, tenant.id, after=after)
    return CountedStream(followed, slots=slots, listener=principal.key)


@router.get("/{slug}/usage")
async def usage(
    slug: Slug, principal: UsageReader, session: SessionDep, platform: PlatformDep, period: Period = None
) -> UsageView:
    """Tokens and money of one month, for example `2026-11`; the present one by default."""
    tenant = await service.find(session, principal, slug)
    plan = platform.catalogue.plan(tenant.plan)
    return UsageView.of(await usage_of(session, tenant.id, plan, period))
