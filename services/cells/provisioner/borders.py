"""What the provisioner needs of other nouns, as it sees them. `part` connects these to the real ones."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.tokens import Token
from services.tables.tenants import Tenant
from tenants.backups.archive import Archive
from tenants.spec import CellSpec

Program = Callable[[], None]
MakeProgram = Callable[[CellSpec], Program]
RegisterToken = Callable[[AsyncSession, uuid.UUID, Token], Awaitable[None]]
ForTenant = Callable[[AsyncSession, uuid.UUID], Awaitable[object]]


class RegisterBackups(Protocol):
    """Notes the archives that a cell left in a folder; repeating it notes nothing twice."""

    async def __call__(self, session: AsyncSession, tenant: Tenant, folder: Path, *, reason: str) -> int:
        """How many are new; `reason`: the operation that made them."""
        ...


#: Location of a tenant's youngest verified backup, None where there is none.
LatestBackup = Callable[[AsyncSession, uuid.UUID], Awaitable[str | None]]


#: The backup at a location, ready to be restored, fetched from a store where it is in one: call it outside transactions.
#: Raises NotFoundError, PermanentError when its key is gone, TemporaryError where the store is away.
FindArchive = Callable[[str], Awaitable[Archive]]


async def _nothing(_: AsyncSession, __: uuid.UUID) -> None:
    return


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """The other nouns' doors that a cell's life passes through. All of them can be called again without harm."""

    register_proxy_token: RegisterToken
    register_channel_token: RegisterToken
    revoke_proxy_tokens: ForTenant
    revoke_channel_tokens: ForTenant
    unbind_chats: ForTenant
    register_backups: RegisterBackups
    find_archive: FindArchive
    latest_backup: LatestBackup
    forget_answers: ForTenant = _nothing
    """What the customer told at sign-up is erased with the cell."""
