"""The live half of every substrate, the drivers that a process made of them, and the check that no half stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clawstack.errors import NeedsAttentionError, PermanentError
from clawstack.logs import get_logger
from clawstack.plans import Catalogue
from clawstack.settings import Profile, Settings
from services.cells.substrates.base.live import LiveSubstrate
from services.cells.substrates.base.protocol import SubstrateDriver
from services.cells.substrates.installation import installation_of
from services.cells.substrates.namespace.live import LIVE_NAMESPACE
from services.cells.substrates.process.live import LIVE_PROCESS
from services.cells.substrates.server.live import LIVE_SERVER
from services.kit.database.connection import Database
from tenants.substrates.registry import SUBSTRATES, require_configured, shortcomings, usable

log = get_logger(__name__)

LIVE: Final[dict[str, LiveSubstrate]] = {one.name: one for one in (LIVE_PROCESS, LIVE_NAMESPACE, LIVE_SERVER)}


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
            require_configured(substrate, self._settings)
            self._made[substrate] = LIVE[substrate].driver(installation_of(self._settings), self._database)
        return self._made[substrate]

    def usable(self) -> tuple[str, ...]:
        """Substrates that this installation is configured for."""
        return usable(self._settings)

    def shortcomings(self) -> tuple[str, ...]:
        """What this installation cannot hold its cells back from, in sentences for operators. Blocks."""
        return shortcomings(self._settings)

    async def aclose(self) -> None:
        """Close all drivers."""
        made, self._made = self._made, {}
        for driver in made.values():
            await driver.aclose()


def check_substrates(settings: Settings, catalogue: Catalogue) -> None:
    """What a process has to know before it starts.

    Raises PermanentError for a substrate of which one half is missing, NeedsAttentionError for a name in plans or
    settings that no substrate has.
    """
    require_both_halves(SUBSTRATES, LIVE)
    said: dict[str, tuple[str, ...]] = {"CLAWSTACK_DEFAULT_SUBSTRATE": (settings.default_substrate,)}
    said |= {f"Plan {plan.key}": plan.substrates for plan in catalogue.plans.values()}
    for where, names in said.items():
        for name in names:
            if name not in SUBSTRATES:
                raise NeedsAttentionError(
                    f"{where} names the substrate {name!r}, which does not exist.",
                    code="unknown_substrate",
                    remedy=f"Choose one of: {', '.join(SUBSTRATES)}.",
                )


def check_walls(settings: Settings) -> None:
    """Tells operators what cells are not held back from. Raises NeedsAttentionError where production would start like that."""
    found = shortcomings(settings)
    for told in found:
        log.warning("cells_not_walled_in", reason=told)
    if found and settings.profile is Profile.PRODUCTION:
        raise NeedsAttentionError(
            f"Production does not start with cells that nothing holds back: {found[0]}",
            code="cells_not_walled_in",
            remedy="Mend that, or set CLAWSTACK_DEFAULT_SUBSTRATE to a substrate that can be walled in.",
        )


def require_both_halves(stacks: Mapping[str, Any], live: Mapping[str, Any]) -> None:
    """Raises PermanentError that names what is missing where."""
    halves = {"tenants/substrates/registry.py": stacks, "services/cells/substrates/registry.py": live}
    known = {name for half in halves.values() for name in half}
    missing = [f"{name!r} is missing in {file}" for file, half in halves.items() for name in sorted(known - set(half))]
    if missing:
        raise PermanentError(
            f"A substrate has two halves, and one is not there: {'; '.join(missing)}.",
            code="half_a_substrate",
            remedy="Enter the other half under the same name.",
        )
