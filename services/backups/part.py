"""Wiring of the register of backups."""

from __future__ import annotations

from services.access.guard import Guard
from services.backups.endpoints import create_router
from services.context import Platform
from services.parts import Part


def create_part(platform: Platform) -> Part:
    """Backups as the factory takes them."""
    guard = Guard(platform.database)
    return Part(name="backups", routers=(create_router(database=platform.database, guard=guard),))
