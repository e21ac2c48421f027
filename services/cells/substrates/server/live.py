"""The living half of the `server` substrate."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from services.cells.substrates.base.live import LiveSubstrate
from tenants.server import NAME
from tenants.substrates.registry import require_configured
from tenants.substrates.server import server_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from services.cells.substrates.base.protocol import SubstrateDriver
    from services.kit.database.connection import Database
    from services.kit.vault.service import Vault
    from tenants.spec import CellSpec
    from tenants.substrates.substrate import Installation


class LiveServers(LiveSubstrate):
    """Servers of one Hetzner project."""

    name = NAME

    @override
    def driver(self, installation: Installation, database: Database) -> SubstrateDriver:
        project = server_settings(installation)
        from services.cells.machines.channel import MachineChannel  # late: most processes need no servers
        from services.cells.substrates.server.driver import ServerDriver

        return ServerDriver(settings=project, channel=MachineChannel(database))

    @override
    def secrets(self) -> tuple[str, ...]:
        from services.cells.machines.equipping import SERVER_SECRETS  # late, as above

        return SERVER_SECRETS

    @override
    async def equip(
        self, session: AsyncSession, spec: CellSpec, *, tenant_id: uuid.UUID, vault: Vault, installation: Installation
    ) -> CellSpec:
        """With the boot of its machine, and a bundle that waits for it."""
        from services.cells.machines.equipping import equip  # late, as above
        from services.kit.database.base import utcnow

        require_configured(self.name, installation.settings)
        project = server_settings(installation)
        return await equip(session, spec, vault=vault, tenant_id=tenant_id, settings=project, now=utcnow())


LIVE_SERVER: Final = LiveServers()
