"""The vault: a tenant's secrets in the clear only for the moment they are used."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.crypto import DataKey, MasterKey
from clawstack.redaction import Redactor
from services.kit.vault import repository


class Vault:
    """Seals and opens tenants' secrets. Every value it hands out is struck out of this process's logs from then on."""

    def __init__(self, *, master_key: MasterKey, redactor: Redactor) -> None:
        self._master_key = master_key
        self._redactor = redactor

    async def ensure(self, session: AsyncSession, tenant_id: uuid.UUID, name: str, make: Callable[[], str]) -> str:
        """The secret `name`; made by `make` and stored when there is none. Two callers at once get the same value."""
        present = await self.get(session, tenant_id, name)
        if present is not None:
            return present
        key = await self._key(session, tenant_id)
        sealed = key.seal(make().encode(), context=_context(tenant_id, name))
        stored = await repository.insert_secret(session, tenant_id, name, sealed)
        return self._opened(key, stored, tenant_id, name)

    async def get(self, session: AsyncSession, tenant_id: uuid.UUID, name: str) -> str | None:
        """The secret, or None; raises PermanentError when it was sealed with another master key."""
        sealed = await repository.secret_of(session, tenant_id, name)
        if sealed is None:
            return None
        return self._opened(await self._key(session, tenant_id), sealed, tenant_id, name)

    async def put(self, session: AsyncSession, tenant_id: uuid.UUID, name: str, value: str) -> None:
        """Store a secret over any other of the same name."""
        key = await self._key(session, tenant_id)
        sealed = key.seal(value.encode(), context=_context(tenant_id, name))
        self._redactor.register(value)
        await repository.replace_secret(session, tenant_id, name, sealed)

    async def erase(self, session: AsyncSession, tenant_id: uuid.UUID, *names: str) -> None:
        """Remove secrets for good. The backup key outlives the cell: without it no backup could be restored."""
        await repository.delete_secrets(session, tenant_id, names)

    async def _key(self, session: AsyncSession, tenant_id: uuid.UUID) -> DataKey:
        row = await repository.key_of(session, tenant_id)
        if row is None:
            wrapped = self._master_key.wrap(self._master_key.new_data_key(), tenant=str(tenant_id))
            fingerprint = self._master_key.fingerprint()
            row = await repository.insert_key(session, tenant_id, wrapped=wrapped, fingerprint=fingerprint)
        return self._master_key.unwrap(row.wrapped, tenant=str(tenant_id))

    def _opened(self, key: DataKey, sealed: bytes, tenant_id: uuid.UUID, name: str) -> str:
        value = key.open(sealed, context=_context(tenant_id, name)).decode()
        self._redactor.register(value)
        return value


def _context(tenant_id: uuid.UUID, name: str) -> str:
    return f"tenant:{tenant_id}:{name}"
