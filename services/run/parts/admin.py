"""Wiring of administration."""

from __future__ import annotations

from services.business.access.guard import Guard
from services.business.overview.endpoints import create_router
from services.kit.context import Platform
from services.kit.parts import Part


def create_part(platform: Platform) -> Part:
    """Administration as the factory takes it."""
    return Part(name="admin", routers=(create_router(database=platform.database, guard=Guard(platform.database)),))
