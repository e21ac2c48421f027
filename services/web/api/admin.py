"""`/v1/admin`: for operators only."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from services.business.access.schemas import Scope
from services.business.overview import service
from services.business.overview.schemas import CellView, Overview, SignupView
from services.kit.http.intake import BoundedRoute
from services.web.api.parameters import SignupId
from services.web.dependencies.callers import requires
from services.web.dependencies.process import SessionDep
from services.web.dependencies.services import DriversDep

router = APIRouter(route_class=BoundedRoute, prefix="/v1/admin", tags=["admin"], dependencies=[requires(Scope.ADMIN)])

ShortSlug = Annotated[str, Path(max_length=100, description="Name of the tenant, as lists show it.")]


@router.get("/overview")
async def overview(session: SessionDep, drivers: DriversDep) -> Overview:
    """Tenants by state, operations by status, messages owed, and what cells are not held back from."""
    return await service.overview(session, shortcomings=await asyncio.to_thread(drivers.shortcomings))


@router.get("/cells/{slug}")
async def cell(slug: ShortSlug, session: SessionDep) -> CellView:
    """Where a tenant's cell runs and what was last seen of it."""
    return await service.cell_of(session, slug)


@router.get("/signups/{signup_id}")
async def signup(signup_id: SignupId, session: SessionDep) -> SignupView:
    """Which tenant a sign-up became."""
    return await service.signup_of(session, signup_id)
