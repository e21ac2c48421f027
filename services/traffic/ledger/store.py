"""The three statements in the path of every request: who asks, set aside, settle.

Straight psycopg on connections of its own, because this is a hot path: a third of the CPU of the same statements through
SQLAlchemy (measured). Each statement is its own transaction: money moves in one piece, so that no crash and no
concurrency can tear it. Order of locks everywhere: reservation before usage period.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int8

from clawstack.errors import TemporaryError
from services.kit.database.hot_path import Connections
from services.traffic.ledger.schemas import Reservation, Settlement

_CONNECTIONS: Final = 10
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

_CALLER: Final = """
    SELECT token.tenant_id, token.secret_hash, tenant.plan, tenant.desired_state
    FROM proxy_tokens AS token JOIN tenants AS tenant ON tenant.id = token.tenant_id
    WHERE token.key = %(key)s AND token.revoked_at IS NULL
    """


class Store:
    """PostgreSQL as a request needs it. Use it as a context manager; it begins without a server, too."""

    def __init__(self, url: str) -> None:
        """`url` as libpq takes it."""
        self._connections = Connections(url, size=_CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.close()

    async def caller(self, key: str) -> tuple[uuid.UUID, str, str, str] | None:
        """Tenant, secret's hash, plan and desired state behind a proxy token that is not revoked."""
        row = await self._row(_CALLER, {"key": key})
        return None if row is None else (row[0], row[1], row[2], row[3])

    async def reserve(self, reservation: Reservation, *, tokens_limit: int, cost_limit: int) -> bool:
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
            return await self._row(_RESERVE, values) is not None
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
        return await self._row(_SETTLE, values) is not None

    async def _row(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """First row of a statement; raises TemporaryError when the server does not answer.

        A statement whose connection broke is tried once more on a new one: all of them may be repeated (`reserve` and
        `settle` because of the reservation's id).
        """
        try:
            try:
                return await self._executed(statement, values)
            except psycopg.OperationalError:
                return await self._executed(statement, values)
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as error:
            raise TemporaryError(
                "The database does not answer.", code="database_unavailable", retry_after=1.0
            ) from error

    async def _executed(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        async with self._connections.one() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchone()
