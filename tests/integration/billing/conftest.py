"""See `tests.integration.billing.fixtures`."""

from __future__ import annotations

from tests.integration.billing.fixtures import fresh_world, stripe_stand_in, world

__all__ = ["fresh_world", "stripe_stand_in", "world"]
