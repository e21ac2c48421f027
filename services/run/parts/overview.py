"""Wiring of administration."""

from __future__ import annotations

from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api import admin


def create_part(_: Platform) -> Part:
    """Administration as the factory takes it."""
    return Part(name="admin", routers=(admin.router,))
