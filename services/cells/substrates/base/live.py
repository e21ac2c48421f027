"""What a substrate tells of its living cells: the half that this process works with."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from services.cells.substrates.base.protocol import SubstrateDriver
    from services.kit.database.connection import Database
    from services.kit.vault.service import Vault
    from tenants.spec import CellSpec
    from tenants.substrates.substrate import Installation


class LiveSubstrate(ABC):
    """The other half of the `Substrate` of the same name in `tenants.substrates`."""

    name: ClassVar[str]

    @abstractmethod
    def driver(self, installation: Installation, database: Database) -> SubstrateDriver:
        """The driver; only called where the substrate is configured. `database`: for what cells are spoken with through rows.

        Raises NeedsAttentionError for settings that are not complete.
        """

    def secrets(self) -> tuple[str, ...]:
        """Names in a tenant's vault that `equip` keeps: known to the redactor, erased with the cell."""
        return ()

    async def equip(
        self, session: AsyncSession, spec: CellSpec, *, tenant_id: uuid.UUID, vault: Vault, installation: Installation
    ) -> CellSpec:
        """`spec` with what rows and vault must hold for a cell here, made in the session's transaction.

        Repeating it gives equal specs. Raises InvalidInputError where the substrate cannot be used.
        """
        del session, tenant_id, vault, installation
        return spec
