"""`/v1/operations`: what was run against cells, live and afterwards."""

# No `from __future__ import annotations` here: FastAPI could not resolve annotations that name the guard's closures.
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sse_starlette import EventSourceResponse

from clawstack.vocabulary import OperationStatus
from services.business.access.schemas import Principal, Scope
from services.business.tenants import operations, service, streams
from services.business.tenants.schemas import EventView, OperationView, Page
from services.kit.database.connection import Database
from services.web.dependencies import Guard

_MOST_EVENTS = 2000


def create_router(*, database: Database, guard: Guard) -> APIRouter:
    """Routes of operations."""
    router = APIRouter(prefix="/v1/operations", tags=["operations"])
    reader = Annotated[Principal, Depends(guard.requires(Scope.OPERATIONS_READ))]
    writer = Annotated[Principal, Depends(guard.requires(Scope.TENANTS_WRITE))]

    @router.get("")
    async def list_operations(
        principal: reader,
        tenant: Annotated[str | None, Query(description="Slug of a tenant.")] = None,
        status: OperationStatus | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Page[OperationView]:
        """Operations that the caller may see, newest first."""
        async with database.transaction() as session:
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
    async def read_operation(operation_id: uuid.UUID, principal: reader) -> OperationView:
        """One operation."""
        async with database.transaction() as session:
            return OperationView.of(*await service.find_operation(session, principal, operation_id))

    @router.get("/{operation_id}/events", response_model=list[EventView])
    async def events(
        operation_id: uuid.UUID,
        principal: reader,
        request: Request,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response | list[EventView]:
        """The operation's events as a stream that ends after `finished`; it goes on after `Last-Event-ID`.

        With `Accept: application/json` a list of what has happened so far.
        """
        after = streams.resume_point(last_event_id)
        async with database.transaction() as session:
            await service.find_operation(session, principal, operation_id)
            if "application/json" in request.headers.get("accept", ""):
                rows = await operations.events_after(session, operation_id, sequence=after, limit=_MOST_EVENTS)
                return [EventView.of(row) for row in rows]
        return EventSourceResponse(streams.operation_stream(database, operation_id, after=after))

    @router.post("/{operation_id}/cancel", status_code=202)
    async def cancel(operation_id: uuid.UUID, principal: writer) -> OperationView:
        """Ask a running operation to stop (operators). It ends as `cancelled` once all of its processes are dead."""
        async with database.transaction() as session:
            return OperationView.of(*await service.cancel(session, principal, operation_id))

    return router
