"""The operators' overview."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services.admin import repository
from services.admin.schemas import Overview


async def overview(session: AsyncSession) -> Overview:
    """The platform in numbers, as of this transaction."""
    return Overview(
        tenants=await repository.tenants_by_state(session),
        operations=await repository.operations_by_status(session),
        unsent_messages=await repository.unsent_messages(session),
    )
