"""`/v1/tenants/{slug}/backups`: what can be restored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from services.business.access.schemas import Principal, Scope
from services.business.backups import repository
from services.business.backups.schemas import BackupView
from services.business.tenants import service as tenants
from services.business.tenants.schemas import Page
from services.kit.http.intake import BoundedRoute
from services.web.api.paging import Limit, Offset
from services.web.api.parameters import Slug
from services.web.dependencies.callers import requires
from services.web.dependencies.process import SessionDep

router = APIRouter(route_class=BoundedRoute, tags=["backups"])

Reader = Annotated[Principal, requires(Scope.TENANTS_READ)]


@router.get("/v1/tenants/{slug}/backups")
async def list_backups(
    slug: Slug, principal: Reader, session: SessionDep, limit: Limit = 50, offset: Offset = 0
) -> Page[BackupView]:
    """A tenant's backups, newest first; they outlive the tenant."""
    tenant = await tenants.find(session, principal, slug)
    rows, total = await repository.page(session, tenant.id, limit=limit, offset=offset)
    return Page(items=[BackupView.of(row) for row in rows], total=total, limit=limit, offset=offset)
