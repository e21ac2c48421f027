"""The drivers of this platform, one per substrate, made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from clawstack.settings import Settings
from services.business.tenants.places import unavailable
from services.cells.substrates.grounds import namespace_settings, server_settings
from services.cells.substrates.protocol import SubstrateDriver
from services.kit.database.connection import Database


class Drivers:
    """Keeps one driver per substrate for the life of a process. Close it with the process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """`database`: through which machines of server cells are spoken with."""
        self._settings = settings
        self._database = database
        self._made: dict[str, SubstrateDriver] = {}

    def of(self, substrate: str) -> SubstrateDriver:
        """The driver; raises InvalidInputError where this installation cannot use the substrate."""
        if substrate not in self._made:
            make = _MAKERS.get(substrate)
            driver = make(self._settings, self._database) if make else None
            if driver is None:
                raise unavailable(substrate, self.usable())
            self._made[substrate] = driver
        return self._made[substrate]

    def usable(self) -> tuple[str, ...]:
        """Substrates that this installation is configured for."""
        return tuple(name for name in _MAKERS if _IS_CONFIGURED[name](self._settings))

    async def aclose(self) -> None:
        """Close all drivers."""
        made, self._made = self._made, {}
        for driver in made.values():
            await driver.aclose()


def _process(settings: Settings, _: Database) -> SubstrateDriver:
    from services.cells.substrates.process import ProcessDriver  # late: each process loads the substrates that it uses

    return ProcessDriver(data_dir=settings.data_dir)


def _namespace(settings: Settings, _: Database) -> SubstrateDriver | None:
    cluster = namespace_settings(settings)
    if cluster is None:
        return None
    from services.cells.substrates.namespace.driver import NamespaceDriver  # late, as above

    return NamespaceDriver(cluster)


def _server(settings: Settings, database: Database) -> SubstrateDriver | None:
    project = server_settings(settings)
    if project is None:
        return None
    from services.cells.machines.channel import MachineChannel  # late, as above
    from services.cells.substrates.server.driver import ServerDriver

    return ServerDriver(settings=project, channel=MachineChannel(database))


_MAKERS: Final[Mapping[str, Callable[[Settings, Database], SubstrateDriver | None]]] = {
    "process": _process,
    "namespace": _namespace,
    "server": _server,
}
_IS_CONFIGURED: Final[Mapping[str, Callable[[Settings], bool]]] = {
    "process": lambda _: True,
    "namespace": lambda settings: settings.kubeconfig is not None,
    "server": lambda settings: bool(settings.servers),
}
