"""`/v1/admin`: for operators only."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from services.business.overview import service
from services.business.overview.schemas import CellView, Overview, SignupView
from services.kit.database.connection import Database
from services.web.dependencies import Guard

ShortPath = Annotated[str, Path(max_length=100)]


def create_router(*, database: Database, guard: Guard) -> APIRouter:
    """Routes for operators."""
    router = APIRouter(prefix="/v1/admin", tags=["admin"], dependencies=[Depends(guard.requires("admin"))])

    @router.get("/overview")
    async def overview() -> Overview:
        """Tenants by state, operations by status, messages owed."""
        async with database.transaction() as session:
            return await service.overview(session)

    @router.get("/cells/{slug}")
    async def cell(slug: ShortPath) -> CellView:
        """Where a tenant's cell runs and what was last seen of it."""
        async with database.transaction() as session:
            return await service.cell_of(session, slug)

    @router.get("/signups/{signup_id}")
    async def signup(signup_id: ShortPath) -> SignupView:
        """Which tenant a sign-up became."""
        async with database.transaction() as session:
            return await service.signup_of(session, signup_id)

    return router
