"""See `tests.integration.billing.fixtures`."""

from __future__ import annotations

from tests.integration.billing.fixtures import stripe_stand_in, world

__all__ = ["stripe_stand_in", "world"]
