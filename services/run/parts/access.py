"""Wiring of access."""

from __future__ import annotations

from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api.access import create_router
from services.web.dependencies import Guard


def create_part(platform: Platform) -> Part:
    """Access as the factory takes it."""
    guard = Guard(platform.database)
    return Part(
        name="access", routers=(create_router(database=platform.database, guard=guard, catalogue=platform.catalogue),)
    )
