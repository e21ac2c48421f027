"""`/v1/operations`: what was run against cells, live and afterwards."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from clawstack.vocabulary import OperationStatus
from services.business.access.schemas import Principal, Scope
from services.business.tenants import operations, service, streams
from services.business.tenants.schemas import EventView, OperationView, Page
from services.kit.http.intake import BoundedRoute
from services.kit.http.openapi import STREAMS, refuses
from services.kit.http.streams import CountedStream
from services.web.api.paging import Limit, Offset
from services.web.api.parameters import LastEventId, OperationId
from services.web.dependencies.callers import requires
from services.web.dependencies.process import SessionDep
from services.web.dependencies.services import SlotsDep, WatchDep

router = APIRouter(route_class=BoundedRoute, prefix="/v1/operations", tags=["operations"])

Reader = Annotated[Principal, requires(Scope.OPERATIONS_READ)]
Writer = Annotated[Principal, requires(Scope.TENANTS_WRITE)]

_MOST_EVENTS: Final = 2000


@router.get("", responses=refuses(404))
async def list_operations(
    principal: Reader,
    session: SessionDep,
    tenant: Annotated[str | None, Query(description="Slug of a tenant.")] = None,
    status: Annotated[OperationStatus | None, Query(description="Only operations in this status.")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page[OperationView]:
    """Operations that the caller may see, newest first."""
    found = await service.find(session, principal, tenant) if tenant is not None else None
    rows, total = await operations.page(
        session,
        tenant_id=found.id if found else None,
        customer_id=principal.customer_id,
        status=status.value if status else None,
        limit=limit,
        offset=offset,
    )
    items = [OperationView.of(operation, slug) for operation, slug in rows]
    return Page(items=items, total=total, limit=limit, offset=offset)


@router.get("/{operation_id}")
async def read_operation(operation_id: OperationId, principal: Reader, session: SessionDep) -> OperationView:
    """One operation."""
    return OperationView.of(*await service.find_operation(session, principal, operation_id))


@router.get("/{operation_id}/events", response_model=list[EventView], responses=STREAMS)
async def events(
    operation_id: OperationId,
    principal: Reader,
    watch: WatchDep,
    slots: SlotsDep,
    session: SessionDep,
    request: Request,
    last_event_id: LastEventId = None,
) -> Response | list[EventView]:
    """The operation's events as a stream that ends after `finished`; it goes on after `Last-Event-ID`.

    With `Accept: application/json` a list of what has happened so far.
    """
    after = streams.resume_point(last_event_id)
    await service.find_operation(session, principal, operation_id)
    if "application/json" in request.headers.get("accept", ""):
        rows = await operations.events_after(session, operation_id, sequence=after, limit=_MOST_EVENTS)
        return [EventView.of(row) for row in rows]
    followed = streams.operation_stream(watch, operation_id, after=after)
    return CountedStream(followed, slots=slots, listener=principal.key)


@router.post("/{operation_id}/cancel", status_code=202)
async def cancel(operation_id: OperationId, principal: Writer, session: SessionDep) -> OperationView:
    """Ask a running operation to stop (operators). It ends as `cancelled` once all of its processes are dead."""
    return OperationView.of(*await service.cancel(session, principal, operation_id))
