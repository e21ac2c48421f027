"""Which substrates there are. A new one is an object in a module of this folder and one entry here.

The name is open: nothing else lists substrates, and what is stored or said by people is looked up here. The other half
of each is in `services.cells.substrates.registry`; a process starts only where both know the same names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from clawstack.errors import InvalidInputError
from tenants.substrates.namespace import NAMESPACE
from tenants.substrates.process import PROCESS
from tenants.substrates.server import SERVER

if TYPE_CHECKING:
    from clawstack.settings import Settings
    from tenants.builder import SubstrateBuilder
    from tenants.substrates.substrate import Installation, Substrate

SUBSTRATES: Final[dict[str, Substrate]] = {one.name: one for one in (PROCESS, NAMESPACE, SERVER)}
DEFAULT: Final = PROCESS.name
"""What needs nothing but this machine."""


def usable(settings: Settings) -> tuple[str, ...]:
    """Substrates that this installation is configured for."""
    return tuple(name for name, one in SUBSTRATES.items() if one.is_configured(settings))


def substrate_of(name: str, settings: Settings) -> Substrate:
    """The substrate, configured or not; raises InvalidInputError for a name that nobody entered."""
    if name not in SUBSTRATES:
        raise unavailable(name, usable(settings))
    return SUBSTRATES[name]


def require_configured(name: str, settings: Settings) -> Substrate:
    """The substrate; raises InvalidInputError where this installation cannot use it, with those that it can."""
    found = substrate_of(name, settings)
    if not found.is_configured(settings):
        raise unavailable(name, usable(settings))
    return found


def shortcomings(settings: Settings) -> tuple[str, ...]:
    """What operators must know of the place where new cells run, unless nothing is known by that name."""
    found = SUBSTRATES.get(settings.default_substrate)
    return found.shortcomings(settings) if found else ()


def builder_of(name: str, installation: Installation) -> SubstrateBuilder[Any]:
    """The builder; raises as `require_configured`, and NeedsAttentionError where the settings are not complete."""
    return require_configured(name, installation.settings).builder(installation)


def unavailable(name: str, usable: Iterable[str]) -> InvalidInputError:
    """Why cells cannot run there, and what to do. `usable`: what to choose from."""
    remedy = f"Choose one of: {', '.join(usable)}."
    if name in SUBSTRATES and SUBSTRATES[name].remedy:
        remedy += f" {SUBSTRATES[name].remedy}"
    return InvalidInputError(
        f"Cells cannot run on the substrate {name!r} here.", code="substrate_unavailable", remedy=remedy
    )
