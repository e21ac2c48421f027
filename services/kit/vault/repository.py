"""SQL of the vault."""

from __future__ import annotations

import uuid

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.vault.tables import TenantKey, TenantSecret


async def key_of(session: AsyncSession, tenant_id: uuid.UUID) -> TenantKey | None:
    """The tenant's wrapped key."""
    return await session.get(TenantKey, tenant_id)


async def insert_key(session: AsyncSession, tenant_id: uuid.UUID, *, wrapped: bytes, fingerprint: str) -> TenantKey:
    """Store a wrapped key unless another transaction was first; returns the one that is stored."""
    values = {"tenant_id": tenant_id, "wrapped": wrapped, "master_fingerprint": fingerprint}
    await session.execute(insert(TenantKey).values(**values).on_conflict_do_nothing())
    return (await session.scalars(select(TenantKey).where(TenantKey.tenant_id == tenant_id))).one()


async def secret_of(session: AsyncSession, tenant_id: uuid.UUID, name: str) -> bytes | None:
    """A sealed secret."""
    query = select(TenantSecret.sealed).where(TenantSecret.tenant_id == tenant_id, TenantSecret.name == name)
    return (await session.scalars(query)).one_or_none()


async def insert_secret(session: AsyncSession, tenant_id: uuid.UUID, name: str, sealed: bytes) -> bytes:
    """Store a sealed secret unless there is one; returns the one that is stored."""
    statement = insert(TenantSecret).values(tenant_id=tenant_id, name=name, sealed=sealed)
    await session.execute(statement.on_conflict_do_nothing())
    stored = await secret_of(session, tenant_id, name)
    return sealed if stored is None else stored


async def replace_secret(session: AsyncSession, tenant_id: uuid.UUID, name: str, sealed: bytes) -> None:
    """Store a sealed secret over any other of the same name."""
    statement = insert(TenantSecret).values(tenant_id=tenant_id, name=name, sealed=sealed)
    target = [TenantSecret.tenant_id, TenantSecret.name]
    await session.execute(statement.on_conflict_do_update(index_elements=target, set_={"sealed": sealed}))


async def delete_secrets(session: AsyncSession, tenant_id: uuid.UUID, names: tuple[str, ...]) -> None:
    """Remove secrets by name."""
    await session.execute(delete(TenantSecret).where(TenantSecret.tenant_id == tenant_id, TenantSecret.name.in_(names)))
