"""`/v1/tenants/{slug}/backups`: what can be restored."""

# No `from __future__ import annotations` here: FastAPI could not resolve annotations that name the guard's closures.
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.business.access.schemas import Principal, Scope
from services.business.backups import repository
from services.business.backups.schemas import BackupView
from services.business.tenants import service as tenants
from services.business.tenants.schemas import Page
from services.kit.database.connection import Database
from services.web.dependencies import Guard


def create_router(*, database: Database, guard: Guard) -> APIRouter:
    """Routes of backups."""
    router = APIRouter(tags=["backups"])
    reader = Annotated[Principal, Depends(guard.requires(Scope.TENANTS_READ))]

    @router.get("/v1/tenants/{slug}/backups")
    async def list_backups(
        slug: str,
        principal: reader,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Page[BackupView]:
        """A tenant's backups, newest first; they outlive the tenant."""
        async with database.transaction() as session:
            tenant = await tenants.find(session, principal, slug)
            rows, total = await repository.page(session, tenant.id, limit=limit, offset=offset)
            items = [BackupView.of(row) for row in rows]
        return Page(items=items, total=total, limit=limit, offset=offset)

    return router
