"""SQL of the ledger outside the path of a request (which is in `store`): usage and expiry."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.ledger import LedgerEntry, UsagePeriod
from services.traffic.ledger.schemas import ModelUsage

_EXPIRE = text(
    """
    WITH gone AS (
        DELETE FROM reservations WHERE id IN (
            SELECT id FROM reservations WHERE expires_at <= now() ORDER BY expires_at LIMIT :most FOR UPDATE SKIP LOCKED)
        RETURNING id, tenant_id, period, model, upstream, price_version, input_tokens, output_tokens, cost
    ), entry AS (
        INSERT INTO ledger_entries (request_id, tenant_id, period, model, upstream, outcome, input_tokens,
            cached_input_tokens, output_tokens, cost, price_version)
        SELECT id, tenant_id, period, model, upstream, 'estimated', input_tokens, 0, output_tokens, cost, price_version
        FROM gone
    ), sums AS (
        SELECT tenant_id, period, sum(input_tokens + output_tokens)::bigint AS tokens, sum(cost)::bigint AS cost
        FROM gone GROUP BY tenant_id, period
    ), charged AS (
        UPDATE usage_periods AS u
        SET tokens_reserved = u.tokens_reserved - sums.tokens, cost_reserved = u.cost_reserved - sums.cost,
            tokens_used = u.tokens_used + sums.tokens, cost_used = u.cost_used + sums.cost
        FROM sums WHERE u.tenant_id = sums.tenant_id AND u.period = sums.period
    )
    SELECT count(*) FROM gone
    """
)
_ONE_EXPIRER = text("SELECT pg_try_advisory_xact_lock(hashtext('llm_proxy.expire_reservations'))")


async def expire(session: AsyncSession, *, most: int) -> int:
    """Charge reservations that nobody settled in time as estimates; how many there were, at most `most`."""
    if not await session.scalar(_ONE_EXPIRER):
        return 0
    return int(await session.scalar(_EXPIRE, {"most": most}) or 0)


async def period_of_tenant(session: AsyncSession, tenant_id: uuid.UUID, period: str) -> UsagePeriod | None:
    """Running totals of one month."""
    return await session.get(UsagePeriod, (tenant_id, period))


async def usage_by_model(session: AsyncSession, tenant_id: uuid.UUID, period: str) -> list[ModelUsage]:
    """Every model's share, dearest first. Released requests do not count."""
    statement = (
        select(
            LedgerEntry.model,
            func.count(),
            func.sum(LedgerEntry.input_tokens),
            func.sum(LedgerEntry.cached_input_tokens),
            func.sum(LedgerEntry.output_tokens),
            func.sum(LedgerEntry.cost).label("cost"),
        )
        .where(LedgerEntry.tenant_id == tenant_id, LedgerEntry.period == period, LedgerEntry.outcome != "released")
        .group_by(LedgerEntry.model)
        .order_by(text("cost DESC"), LedgerEntry.model)
    )
    rows = (await session.execute(statement)).all()
    return [
        ModelUsage(
            model=model,
            requests=requests,
            input_tokens=int(given),  # sums of bigint arrive as Decimal
            cached_input_tokens=int(cached),
            output_tokens=int(output),
            cost_micro_usd=int(cost),
        )
        for model, requests, given, cached, output, cost in rows
    ]
