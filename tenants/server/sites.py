"""Where a cell's machine may be at Hetzner, in which order, and where to go when there is no room: pure.

A volume can only be attached in its own location. So once a machine has written on it, the location is settled, and only
the type of the server is open.
"""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A location and a type of server there."""

    location: str
    server_type: str

    @override
    def __str__(self) -> str:
        """For people."""
        return f"{self.server_type} in {self.location}"


def site_of(spec: CellSpec, settings: ServerSettings) -> Site:
    """Where the machine of `spec` belongs: what its boot remembers, else the first choice of the settings.

    Raises InvalidInputError for a plan without a server type.
    """
    types = settings.types_of(spec.plan)
    location = (spec.boot.location if spec.boot else None) or settings.location
    remembered = spec.boot.server_type if spec.boot else None
    # After a change of plan the type that served the old one counts no more.
    return Site(location=location, server_type=remembered if remembered in types else types[0])


def first_site(plan: str, settings: ServerSettings, *, location: str | None) -> Site:
    """Where to begin; `location`: of a volume that must be kept."""
    return Site(location=location or settings.location, server_type=settings.types_of(plan)[0])


def next_site(plan: str, settings: ServerSettings, *, at: Site, pinned: bool, no_volumes: bool = False) -> Site | None:
    """The next best after `at`, which has no room: other types in a location first, since people chose the location.

    `pinned`: the volume must be kept; `no_volumes`: it is the volume that finds no room there. None: all were tried.
    """
    locations = (at.location,) if pinned else (settings.location, *settings.other_locations)
    types = settings.types_of(plan)
    order = [Site(location=place, server_type=kind) for place in dict.fromkeys(locations) for kind in types]
    later = order[order.index(at) + 1 :] if at in order else order
    return next((site for site in later if not (no_volumes and site.location == at.location)), None)
