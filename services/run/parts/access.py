"""Wiring of access."""

from __future__ import annotations

from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api import access


def create_part(_: Platform) -> Part:
    """Access as the factory takes it."""
    return Part(name="access", routers=(access.router,))
