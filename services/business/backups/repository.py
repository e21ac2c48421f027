"""SQL of the register of backups."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.backups import Backup
from services.tables.tenants import Tenant


async def add(session: AsyncSession, values: Iterable[dict[str, Any]]) -> int:
    """Note archives that are not noted yet; returns how many were new."""
    rows = list(values)
    if not rows:
        return 0
    statement = insert(Backup).values(rows).on_conflict_do_nothing()  # known by its place, or by its content
    return len((await session.execute(statement.returning(Backup.id))).all())


async def listed(session: AsyncSession, tenant_id: uuid.UUID | None = None) -> list[tuple[Backup, str]]:
    """All backups, or one tenant's, with the slugs of their tenants, newest first."""
    query = select(Backup, Tenant.slug).join(Tenant, Tenant.id == Backup.tenant_id)
    if tenant_id is not None:
        query = query.where(Backup.tenant_id == tenant_id)
    return [(backup, slug) for backup, slug in await session.execute(query.order_by(Backup.created_at.desc()))]


async def forget(session: AsyncSession, backup: Backup) -> bool:
    """Strike a backup off the register; True when it was the last one of a deleted tenant."""
    await session.delete(backup)
    await session.flush()
    left = exists().where(Backup.tenant_id == backup.tenant_id)
    query = select(Tenant.id).where(Tenant.id == backup.tenant_id, Tenant.deleted_at.is_not(None), ~left)
    return (await session.scalars(query)).one_or_none() is not None


async def page(
    session: AsyncSession, tenant_id: uuid.UUID, *, limit: int = 50, offset: int = 0
) -> tuple[list[Backup], int]:
    """A tenant's backups, newest first, and how many there are in all."""
    of_tenant = select(Backup).where(Backup.tenant_id == tenant_id)
    total = (await session.execute(select(func.count()).select_from(of_tenant.subquery()))).scalar_one()
    query = of_tenant.order_by(Backup.created_at.desc(), Backup.id).limit(limit).offset(offset)
    return list(await session.scalars(query)), total


async def latest_verified(session: AsyncSession, tenant_id: uuid.UUID) -> datetime | None:
    """When the youngest backup of a tenant was verified."""
    query = select(func.max(Backup.verified_at)).where(Backup.tenant_id == tenant_id)
    return (await session.execute(query)).scalar_one_or_none()


async def latest_location(session: AsyncSession, tenant_id: uuid.UUID) -> str | None:
    """Where a tenant's youngest verified backup is."""
    query = (
        select(Backup.location)
        .where(Backup.tenant_id == tenant_id, Backup.verified_at.is_not(None))
        .order_by(Backup.created_at.desc(), Backup.id)
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def by_location(session: AsyncSession, location: str) -> tuple[Backup, str] | None:
    """A backup and the slug of the tenant that it was taken from.

    A place where it once was will do: `<slug>/<name>`, the end of every location, stays the same in every store.
    """
    here = Backup.location == location
    ending = location.rsplit("/", 2)[-2:]
    once = Backup.location.endswith("/" + "/".join(ending), autoescape=True) if len(ending) > 1 else here
    query = (
        select(Backup, Tenant.slug)
        .join(Tenant, Tenant.id == Backup.tenant_id)
        .where(here | once)
        .order_by(here.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def below(session: AsyncSession, folder: str) -> list[tuple[Backup, str]]:
    """The backups that are in a folder, with the slugs of their tenants, oldest first."""
    query = (
        select(Backup, Tenant.slug)
        .join(Tenant, Tenant.id == Backup.tenant_id)
        .where(Backup.location.startswith(folder.rstrip("/") + "/", autoescape=True))
        .order_by(Backup.created_at, Backup.id)
    )
    return [(backup, slug) for backup, slug in await session.execute(query)]


async def move(session: AsyncSession, backup_id: uuid.UUID, *, old: str, new: str) -> bool:
    """Note that an archive is at a new place; False when it is not at the old one any more."""
    statement = update(Backup).where(Backup.id == backup_id, Backup.location == old).values(location=new)
    return (await session.execute(statement.returning(Backup.id))).first() is not None


async def awaited(session: AsyncSession) -> set[str]:
    """Names of the archives that tenants are about to be filled from."""
    query = select(Tenant.restore_from).where(Tenant.restore_from.is_not(None))
    return {str(location).rsplit("/", 1)[-1] for location in await session.scalars(query)}
