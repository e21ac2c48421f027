"""Gives the specification of a `server` cell what its machine needs: a boot, and a bundle that waits for it."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from datetime import date, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.crypto import KEY_BYTES, DataKey
from clawstack.tokens import TokenKind, issue
from clawstack.vocabulary import Desired
from services.cells.machines import repository
from services.kit.vault.service import Vault
from services.tables.machines import ServerBoot
from tenants.server.bundle import build_bundle
from tenants.server.settings import ServerSettings
from tenants.server.user_data import boot_template
from tenants.spec import CellSpec, MachineBoot

DISK_KEY: Final = "disk_key"
BUNDLE_KEY: Final = "bundle_key"
#: Names in the vault that are erased with the cell.
SERVER_SECRETS: Final = (DISK_KEY, BUNDLE_KEY)
_USABLE_SHARE: Final = 0.25
"""A token that nobody used is given to a new machine only while this much of its life is left."""


async def equip(
    session: AsyncSession,
    spec: CellSpec,
    *,
    vault: Vault,
    tenant_id: uuid.UUID,
    settings: ServerSettings,
    now: datetime,
) -> CellSpec:
    """`spec` with the boot of its machine. Repeating it gives the same boot for as long as that machine can serve.

    A cell that is to be suspended needs none and is returned as it is. Raises what `build_bundle` raises.
    """
    if spec.desired is not Desired.RUNNING:
        return spec
    key = await sealing_key(session, vault, tenant_id)
    await _store_bundle(session, spec, vault=vault, tenant_id=tenant_id, settings=settings, key=key, today=now.date())
    site = await _site(session, spec.slug, settings)
    template = boot_template(spec, settings, location=site["location"])
    newest = next(iter(await repository.boots(session, spec.slug, limit=1)), None)
    if newest is None or not can_serve(newest, template=template, now=now):
        life = timedelta(minutes=settings.boot_minutes)
        newest = await _new_boot(session, spec, tenant_id=tenant_id, template=template, key=key, now=now, life=life)
    token = key.open(newest.token, context=_context("boot", newest.key)).decode()
    return spec.model_copy(update={"boot": MachineBoot(token=SecretStr(token), image=newest.image, **site)})


def can_serve(boot: ServerBoot, *, template: str, now: datetime) -> bool:
    """Whether the machine of this boot is, or can still become, the one that is wanted."""
    if boot.closed_at is not None or boot.retired_at is not None or boot.template != template:
        return False
    life = boot.expires_at - boot.created_at
    return boot.used_at is not None or boot.expires_at - now > life * _USABLE_SHARE


async def sealing_key(session: AsyncSession, vault: Vault, tenant_id: uuid.UUID) -> DataKey:
    """What seals the tenant's bundle and boot tokens."""
    return DataKey(base64.b64decode(await vault.ensure(session, tenant_id, BUNDLE_KEY, _new_key)))


def bundle_context(slug: str) -> str:
    """What a bundle is sealed for."""
    return _context("bundle", slug)


async def _store_bundle(
    session: AsyncSession,
    spec: CellSpec,
    *,
    vault: Vault,
    tenant_id: uuid.UUID,
    settings: ServerSettings,
    key: DataKey,
    today: date,
) -> None:
    disk_key = SecretStr(await vault.ensure(session, tenant_id, DISK_KEY, _new_key))
    bundle = build_bundle(spec, settings, disk_key=disk_key, today=today)
    sealed = key.seal(json.dumps(bundle).encode(), context=bundle_context(spec.slug))
    await repository.put_cell(session, tenant_id, spec.slug, version=bundle["version"], bundle=sealed)


async def _site(session: AsyncSession, slug: str, settings: ServerSettings) -> dict[str, Any]:
    """Where the machine is to be, as `MachineBoot` has it. What was once chosen stays: a volume is there, or soon will be."""
    cell = await repository.cell(session, slug)
    location = cell.location if cell else None
    if location is None:
        location = settings.location
        await repository.set_cell(session, slug, location=location)
    history = await repository.history(session, slug)
    return {"location": location, "server_type": cell.server_type if cell else None, "is_first": not history.used}


async def _new_boot(
    session: AsyncSession,
    spec: CellSpec,
    *,
    tenant_id: uuid.UUID,
    template: str,
    key: DataKey,
    now: datetime,
    life: timedelta,
) -> ServerBoot:
    token = issue(TokenKind.BOOT)
    cell = await repository.cell(session, spec.slug)
    boot = ServerBoot(
        key=token.key,
        tenant_id=tenant_id,
        slug=spec.slug,
        template=template,
        image=cell.snapshot if cell else None,
        secret_hash=token.secret_hash(),
        token=key.seal(token.reveal().encode(), context=_context("boot", token.key)),
        created_at=now,
        expires_at=now + life,
        phase="waiting",
        refusals=0,
    )
    await repository.add_boot(session, boot)
    return boot


def _context(what: str, name: str) -> str:
    return f"server-{what}:{name}"


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
