"""The two statements of the ledger in the path of every request: set aside, settle.

Straight psycopg on connections of its own, because this is a hot path: a third of the CPU of the same statements through
SQLAlchemy (measured). Each statement is its own transaction: money moves in one piece, so that no crash and no
concurrency can tear it. Order of locks everywhere: reservation before usage period.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int8

from services.kit.database.hot_path import Connections
from services.traffic.ledger.schemas import Reserved, Settlement

# Int8 below: psycopg would otherwise choose a type by each number's size, and prepare every mixture anew.

# The period's row appears with the month's first request. ON CONFLICT locks the row even where its WHERE then refuses,
# so that two requests for the last of a budget are judged one after the other.
_RESERVE: Final = """
    WITH period AS (
        INSERT INTO usage_periods AS u (tenant_id, period, tokens_reserved, cost_reserved)
        SELECT CAST(%(tenant_id)s AS uuid), CAST(%(period)s AS text), CAST(%(tokens)s AS bigint), CAST(%(cost)s AS bigint)
        WHERE CAST(%(tokens)s AS bigint) <= CAST(%(tokens_limit)s AS bigint)
          AND CAST(%(cost)s AS bigint) <= CAST(%(cost_limit)s AS bigint)
        ON CONFLICT (tenant_id, period) DO UPDATE
        SET tokens_reserved = u.tokens_reserved + EXCLUDED.tokens_reserved,
            cost_reserved = u.cost_reserved + EXCLUDED.cost_reserved
        WHERE u.tokens_used + u.tokens_reserved + EXCLUDED.tokens_reserved <= CAST(%(tokens_limit)s AS bigint)
          AND u.cost_used + u.cost_reserved + EXCLUDED.cost_reserved <= CAST(%(cost_limit)s AS bigint)
        RETURNING u.tenant_id, u.period
    )
    INSERT INTO reservations (id, tenant_id, period, model, upstream, price_version, input_tokens, output_tokens, cost,
                              expires_at)
    SELECT CAST(%(id)s AS uuid), tenant_id, period, %(model)s, %(upstream)s, %(price_version)s, %(input_tokens)s,
           %(output_tokens)s, %(cost)s, CAST(%(expires_at)s AS timestamptz)
    FROM period
    RETURNING id
    """

_SETTLE: Final = """
    WITH gone AS (
        DELETE FROM reservations WHERE id = CAST(%(id)s AS uuid)
        RETURNING id, tenant_id, period, model, upstream, price_version, input_tokens + output_tokens AS tokens, cost
    ), entry AS (
        INSERT INTO ledger_entries (request_id, tenant_id, period, model, upstream, outcome, input_tokens,
            cached_input_tokens, output_tokens, cost, price_version, raw_usage, status, duration_ms)
        SELECT id, tenant_id, period, model, upstream, CAST(%(outcome)s AS text), CAST(%(input)s AS bigint),
            CAST(%(cached)s AS bigint), CAST(%(output)s AS bigint), CAST(%(cost)s AS bigint), price_version,
            CAST(%(raw_usage)s AS jsonb), CAST(%(status)s AS bigint), CAST(%(duration_ms)s AS bigint)
        FROM gone
    )
    UPDATE usage_periods AS u
    SET tokens_reserved = u.tokens_reserved - gone.tokens,
        cost_reserved = u.cost_reserved - gone.cost,
        tokens_used = u.tokens_used + CAST(%(input)s AS bigint) + CAST(%(output)s AS bigint),
        cost_used = u.cost_used + CAST(%(cost)s AS bigint)
    FROM gone WHERE u.tenant_id = gone.tenant_id AND u.period = gone.period
    RETURNING u.period
    """


class LedgerStore:
    """PostgreSQL as a request needs it, over connections that others may use, too. It begins without a server."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def reserve(self, reservation: Reserved, *, tokens_limit: int, cost_limit: int) -> bool:
        """Set tokens and money aside; False, and nothing changed, when a limit forbids it."""
        values = {
            "id": reservation.id,
            "tenant_id": reservation.tenant_id,
            "period": reservation.period,
            "model": reservation.model,
            "upstream": reservation.upstream,
            "price_version": reservation.price_version,
            "tokens": Int8(reservation.tokens.total()),
            "input_tokens": Int8(reservation.tokens.input),
            "output_tokens": Int8(reservation.tokens.output),
            "cost": Int8(reservation.cost),
            "expires_at": reservation.expires_at,
            "tokens_limit": Int8(tokens_limit),
            "cost_limit": Int8(cost_limit),
        }
        try:
            return await self._connections.row(_RESERVE, values) is not None
        except psycopg.errors.UniqueViolation:
            return True  # the first of two tries was written although its connection broke

    async def settle(self, settlement: Settlement) -> bool:
        """Replace the reservation by a ledger entry; False when somebody did so before (then nothing changes)."""
        values = {
            "id": settlement.reservation.id,
            "outcome": settlement.outcome.value,
            "input": Int8(settlement.tokens.input),
            "cached": Int8(settlement.tokens.cached),
            "output": Int8(settlement.tokens.output),
            "cost": Int8(settlement.cost),
            "raw_usage": None if settlement.raw_usage is None else Jsonb(settlement.raw_usage),
            "status": settlement.status,
            "duration_ms": settlement.duration_ms,
        }
        return await self._connections.row(_SETTLE, values) is not None
