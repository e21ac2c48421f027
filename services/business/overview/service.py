"""What operators are told."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NotFoundError
from services.business.overview import repository
from services.business.overview.schemas import CellView, Overview, SignupView


async def overview(session: AsyncSession, *, shortcomings: tuple[str, ...] = ()) -> Overview:
    """The platform in numbers, as of this transaction; `shortcomings` are those of the places where cells run."""
    return Overview(
        tenants=await repository.tenants_by_state(session),
        operations=await repository.operations_by_status(session),
        unsent_messages=await repository.unsent_messages(session),
        shortcomings=shortcomings,
    )


async def cell_of(session: AsyncSession, slug: str) -> CellView:
    """The cell of a tenant; raises NotFoundError."""
    found = await repository.tenant_and_cell(session, slug)
    if found is None:
        raise NotFoundError(f"There is no tenant {slug[:60]!r}.")
    tenant, cell = found
    return CellView(
        slug=tenant.slug,
        state=tenant.state,
        desired_state=tenant.desired_state,
        generation=tenant.generation,
        observed_generation=tenant.observed_generation,
        observed_state=tenant.observed_state,
        observed_at=tenant.observed_at,
        observed=tenant.observed,
        port=cell.port if cell else None,
        account=cell.account if cell else None,
        stack=cell.stack if cell else None,
    )


async def signup_of(session: AsyncSession, signup_id: str) -> SignupView:
    """What a sign-up became; an unknown one became nothing."""
    return SignupView(signup_id=signup_id, tenant=await repository.slug_of_signup(session, signup_id))
