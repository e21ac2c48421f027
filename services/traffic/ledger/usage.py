"""What a tenant used, for portal, command line, billing and the cell itself."""

from __future__ import annotations

import re
import uuid
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import InvalidInputError
from clawstack.plans import Plan
from services.kit.database.base import utcnow
from services.traffic.ledger import repository
from services.traffic.ledger.schemas import Usage, period_of

_PERIOD: Final = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


def checked_period(period: str | None) -> str:
    """`period`, or the present month (UTC); raises InvalidInputError for one that is none."""
    period = period or period_of(utcnow())
    if _PERIOD.fullmatch(period) is None:
        raise InvalidInputError(f"{period[:20]!r} is not a month.", code="bad_period", remedy="Write it as 2026-11.")
    return period


async def usage_of(session: AsyncSession, tenant_id: uuid.UUID, plan: Plan, period: str | None = None) -> Usage:
    """Usage of one tenant in `period` ("2026-11", default the present month, UTC), against the limits of `plan`.

    Raises InvalidInputError for a period that is none.
    """
    period = checked_period(period)
    totals = await repository.period_of_tenant(session, tenant_id, period)
    return Usage(
        period=period,
        tokens_used=totals.tokens_used if totals else 0,
        tokens_reserved=totals.tokens_reserved if totals else 0,
        tokens_limit=plan.monthly_tokens,
        cost_micro_usd=totals.cost_used if totals else 0,
        budget_micro_usd=plan.budget_micro_usd(),
        by_model=tuple(await repository.usage_by_model(session, tenant_id, period)),
    )
