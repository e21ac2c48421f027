"""The living half of the `process` substrate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typing_extensions import override

from services.cells.substrates.base.live import LiveSubstrate
from tenants.process import NAME

if TYPE_CHECKING:
    from services.cells.substrates.base.protocol import SubstrateDriver
    from services.kit.database.connection import Database
    from tenants.substrates.substrate import Installation


class LiveProcesses(LiveSubstrate):
    """Processes of this machine."""

    name = NAME

    @override
    def driver(self, installation: Installation, database: Database) -> SubstrateDriver:
        from services.cells.substrates.process.driver import ProcessDriver  # late: a process loads what it uses

        return ProcessDriver(data_dir=installation.settings.data_dir)


LIVE_PROCESS: Final = LiveProcesses()
