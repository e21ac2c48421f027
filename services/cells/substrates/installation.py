"""What builders are told of this installation."""

from __future__ import annotations

from clawstack.settings import Settings
from tenants.substrates.substrate import Installation
from toolchain.ground import pins


def installation_of(settings: Settings) -> Installation:
    """These settings, and the programs that this release is pinned to."""
    return Installation(settings=settings, openclaw_version=pins.OPENCLAW, openclaw_lock=pins.OPENCLAW_PINS[1])
