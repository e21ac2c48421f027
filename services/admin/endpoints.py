"""`/v1/admin`: for operators only."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from services.access.guard import Guard
from services.admin import service
from services.admin.schemas import Overview
from services.database.connection import Database


def create_router(*, database: Database, guard: Guard) -> APIRouter:
    """Routes for operators."""
    router = APIRouter(prefix="/v1/admin", tags=["admin"], dependencies=[Depends(guard.requires("admin"))])

    @router.get("/overview")
    async def overview() -> Overview:
        """Tenants by state, operations by status, messages owed."""
        async with database.transaction() as session:
            return await service.overview(session)

    return router
