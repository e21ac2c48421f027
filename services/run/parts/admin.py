"""Wiring of administration."""

from __future__ import annotations

from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api.admin import create_router
from services.web.dependencies import Guard


def create_part(platform: Platform) -> Part:
    """Administration as the factory takes it."""
    return Part(name="admin", routers=(create_router(database=platform.database, guard=Guard(platform.database)),))
