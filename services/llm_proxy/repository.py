"""SQL of the LLM proxy. Money moves in single statements, so that no crash and no concurrency can tear them.

Order of locks everywhere: reservation before usage period.
"""

from __future__ import annotations

import uuid

from psycopg.types.json import Jsonb
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.llm_proxy.schemas import ModelUsage, Reservation, Settlement
from services.llm_proxy.tables import LedgerEntry, ProxyToken, UsagePeriod
from services.provisioner.tables import Tenant

# The period's row appears with the month's first request. ON CONFLICT locks the row even where its WHERE then refuses,
# so that two requests for the last of a budget are judged one after the other.
_RESERVE = text(
    """
    WITH period AS (
        INSERT INTO usage_periods AS u (tenant_id, period, tokens_reserved, cost_reserved)
        SELECT CAST(:tenant_id AS uuid), CAST(:period AS text), CAST(:tokens AS bigint), CAST(:cost AS bigint)
        WHERE CAST(:tokens AS bigint) <= CAST(:tokens_limit AS bigint)
          AND CAST(:cost AS bigint) <= CAST(:cost_limit AS bigint)
        ON CONFLICT (tenant_id, period) DO UPDATE
        SET tokens_reserved = u.tokens_reserved + EXCLUDED.tokens_reserved,
            cost_reserved = u.cost_reserved + EXCLUDED.cost_reserved
        WHERE u.tokens_used + u.tokens_reserved + EXCLUDED.tokens_reserved <= CAST(:tokens_limit AS bigint)
          AND u.cost_used + u.cost_reserved + EXCLUDED.cost_reserved <= CAST(:cost_limit AS bigint)
        RETURNING u.tenant_id, u.period
    )
    INSERT INTO reservations (id, tenant_id, period, model, upstream, price_version, input_tokens, output_tokens, cost,
                              expires_at)
    SELECT CAST(:id AS uuid), tenant_id, period, :model, :upstream, :price_version, :input_tokens, :output_tokens, :cost,
           CAST(:expires_at AS timestamptz)
    FROM period
    RETURNING id
    """
)

_SETTLE = text(
    """
    WITH gone AS (
        DELETE FROM reservations WHERE id = CAST(:id AS uuid)
        RETURNING id, tenant_id, period, model, upstream, price_version, input_tokens + output_tokens AS tokens, cost
    ), entry AS (
        INSERT INTO ledger_entries (request_id, tenant_id, period, model, upstream, outcome, input_tokens,
            cached_input_tokens, output_tokens, cost, price_version, raw_usage, status, duration_ms)
        SELECT id, tenant_id, period, model, upstream, CAST(:outcome AS text), CAST(:input AS bigint),
            CAST(:cached AS bigint), CAST(:output AS bigint), CAST(:cost AS bigint), price_version,
            CAST(:raw_usage AS jsonb), CAST(:status AS bigint), CAST(:duration_ms AS bigint)
        FROM gone
    )
    UPDATE usage_periods AS u
    SET tokens_reserved = u.tokens_reserved - gone.tokens,
        cost_reserved = u.cost_reserved - gone.cost,
        tokens_used = u.tokens_used + CAST(:input AS bigint) + CAST(:output AS bigint),
        cost_used = u.cost_used + CAST(:cost AS bigint)
    FROM gone WHERE u.tenant_id = gone.tenant_id AND u.period = gone.period
    RETURNING u.period
    """
)

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


async def insert_reservation(
    session: AsyncSession, reservation: Reservation, *, tokens_limit: int, cost_limit: int
) -> bool:
    """Set tokens and money aside; False, and nothing changed, when a limit forbids it."""
    values = {
        "id": reservation.id,
        "tenant_id": reservation.tenant_id,
        "period": reservation.period,
        "model": reservation.model,
        "upstream": reservation.upstream,
        "price_version": reservation.price_version,
        "tokens": reservation.tokens.total(),
        "input_tokens": reservation.tokens.input,
        "output_tokens": reservation.tokens.output,
        "cost": reservation.cost,
        "expires_at": reservation.expires_at,
        "tokens_limit": tokens_limit,
        "cost_limit": cost_limit,
    }
    return (await session.execute(_RESERVE, values)).first() is not None


async def settle(session: AsyncSession, settlement: Settlement) -> bool:
    """Replace the reservation by a ledger entry; False when somebody did so before (then nothing changes)."""
    values = {
        "id": settlement.reservation.id,
        "outcome": settlement.outcome.value,
        "input": settlement.tokens.input,
        "cached": settlement.tokens.cached,
        "output": settlement.tokens.output,
        "cost": settlement.cost,
        "raw_usage": None if settlement.raw_usage is None else Jsonb(settlement.raw_usage),
        "status": settlement.status,
        "duration_ms": settlement.duration_ms,
    }
    return (await session.execute(_SETTLE, values)).first() is not None


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


async def caller_of(session: AsyncSession, key: str) -> tuple[uuid.UUID, str, str, str] | None:
    """Tenant, secret's hash, plan and desired state behind a proxy token that is not revoked."""
    statement = (
        select(ProxyToken.tenant_id, ProxyToken.secret_hash, Tenant.plan, Tenant.desired_state)
        .join(Tenant, Tenant.id == ProxyToken.tenant_id)
        .where(ProxyToken.key == key, ProxyToken.revoked_at.is_(None))
    )
    row = (await session.execute(statement)).first()
    return None if row is None else (row[0], row[1], row[2], row[3])


async def upsert_token(session: AsyncSession, *, key: str, secret_hash: str, tenant_id: uuid.UUID) -> uuid.UUID | None:
    """Store a token or lift its revocation; the tenant it belongs to, None when the key has another hash or tenant."""
    statement = insert(ProxyToken).values(key=key, secret_hash=secret_hash, tenant_id=tenant_id)
    same = (ProxyToken.tenant_id == tenant_id) & (ProxyToken.secret_hash == secret_hash)
    statement = statement.on_conflict_do_update(index_elements=[ProxyToken.key], set_={"revoked_at": None}, where=same)
    return await session.scalar(statement.returning(ProxyToken.tenant_id))


async def revoke_tokens(session: AsyncSession, tenant_id: uuid.UUID, *, keep: str | None) -> int:
    """Revoke a tenant's tokens but the one with the key `keep`; how many were open."""
    mine = (ProxyToken.tenant_id == tenant_id) & ProxyToken.revoked_at.is_(None)
    statement = update(ProxyToken).where(mine).values(revoked_at=func.now())
    if keep is not None:
        statement = statement.where(ProxyToken.key != keep)
    return len((await session.execute(statement.returning(ProxyToken.key))).all())
