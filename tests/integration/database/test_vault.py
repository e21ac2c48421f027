"""Tenants' secrets at rest."""

from __future__ import annotations

import asyncio
import secrets
import uuid

import pytest
from sqlalchemy import text

from clawstack.crypto import MasterKey
from clawstack.errors import PermanentError
from clawstack.redaction import Redactor
from services.kit.vault.service import Vault
from services.tables.tenants import Tenant


async def _tenant(database, slug):
    async with database.transaction() as session:
        tenant = Tenant(
            slug=slug,
            plan="starter",
            bundle="general",
            bundle_version="1",
            substrate="process",
            answers={},
            desired_state="running",
        )
        session.add(tenant)
        await session.flush()
        return tenant.id


async def test_a_secret_is_made_once_and_never_stored_in_the_clear(platform, database):
    tenant = await _tenant(database, "a")

    async def ensure():
        async with database.transaction() as session:
            return await platform.vault.ensure(
                session, tenant, "proxy_token", lambda: "planted-" + secrets.token_hex(8)
            )

    values = await asyncio.gather(*(ensure() for _ in range(8)))
    assert len(set(values)) == 1
    async with database.transaction() as session:
        stored = (await session.execute(text("SELECT sealed, name FROM tenant_secrets"))).one()
    assert values[0].encode() not in stored.sealed
    assert values[0] not in platform.redactor.text(f"it is {values[0]}")


async def test_a_row_copied_to_another_tenant_does_not_open(platform, database):
    one, other = await _tenant(database, "one"), await _tenant(database, "other")
    async with database.transaction() as session:
        await platform.vault.put(session, one, "gateway_token", "planted-value-1")
        await platform.vault.put(session, other, "gateway_token", "planted-value-2")
        await session.execute(
            text(
                "UPDATE tenant_secrets SET sealed = (SELECT sealed FROM tenant_secrets WHERE tenant_id = :one)"
                " WHERE tenant_id = :other"
            ),
            {"one": one, "other": other},
        )
        with pytest.raises(PermanentError, match="does not open"):
            await platform.vault.get(session, other, "gateway_token")


async def test_another_master_key_does_not_open_it(platform, database):
    tenant = await _tenant(database, "a")
    async with database.transaction() as session:
        await platform.vault.put(session, tenant, "passphrase", "planted-value-3")
        stranger = Vault(master_key=MasterKey(secrets.token_bytes(32)), redactor=Redactor())
        with pytest.raises(PermanentError, match="does not open") as caught:
            await stranger.get(session, tenant, "passphrase")
        assert "CLAWSTACK_MASTER_KEY" in caught.value.sentence()
        assert "planted" not in caught.value.sentence()


async def test_an_unknown_tenant_has_no_secret(platform, database):
    async with database.transaction() as session:
        assert await platform.vault.get(session, uuid.uuid4(), "passphrase") is None
