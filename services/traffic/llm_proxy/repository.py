"""SQL of proxy tokens: who asks (in the path of every request), registering and revoking (outside of it)."""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database.hot_path import Connections
from services.tables.ledger import ProxyToken

_CALLER: Final = """
    SELECT token.tenant_id, token.secret_hash, tenant.plan, tenant.desired_state
    FROM proxy_tokens AS token JOIN tenants AS tenant ON tenant.id = token.tenant_id
    WHERE token.key = %(key)s AND token.revoked_at IS NULL
    """


async def caller_of(connections: Connections, key: str) -> tuple[uuid.UUID, str, str, str] | None:
    """Tenant, secret's hash, plan and desired state behind a proxy token that is not revoked.

    Raises TemporaryError when the database does not answer.
    """
    row = await connections.row(_CALLER, {"key": key})
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
