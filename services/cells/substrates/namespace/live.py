"""The living half of the `namespace` substrate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typing_extensions import override

from services.cells.substrates.base.live import LiveSubstrate
from tenants.namespace import NAME
from tenants.substrates.namespace import namespace_settings

if TYPE_CHECKING:
    from services.cells.substrates.base.protocol import SubstrateDriver
    from services.kit.database.connection import Database
    from tenants.substrates.substrate import Installation


class LiveNamespaces(LiveSubstrate):
    """Namespaces of one cluster."""

    name = NAME

    @override
    def driver(self, installation: Installation, database: Database) -> SubstrateDriver:
        cluster = namespace_settings(installation.settings)
        from services.cells.substrates.namespace.driver import NamespaceDriver  # late: it loads a Kubernetes client

        return NamespaceDriver(cluster)


LIVE_NAMESPACE: Final = LiveNamespaces()
