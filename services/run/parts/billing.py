"""Wiring of billing."""

from __future__ import annotations

from services.business.billing.service import Billing
from services.business.billing.stripe_reader import StripeReader
from services.business.billing.stripe_sweep import StripeSweep
from services.business.billing.tasks import BillingTasks
from services.kit.context import Platform
from services.kit.parts import Part
from services.run.context import ProcessPlatform
from services.web.api import webhooks


def create_part(platform: ProcessPlatform) -> Part:
    """Billing as the factory takes it."""
    reader = StripeReader(platform.stripe)
    billing = create_billing(platform)
    sweep = StripeSweep(
        database=platform.database,
        reader=reader,
        billing=billing,
        catalogue=platform.catalogue,
        interval=platform.settings.stripe_sweep_interval,
    )
    tasks = BillingTasks(database=platform.database, reader=reader, billing=billing, sweep=sweep)

    return Part(name="billing", routers=(webhooks.router,), provides=(billing,), register_tasks=tasks.register)


def create_billing(platform: Platform) -> Billing:
    """Billing's logic."""
    return Billing(catalogue=platform.catalogue, default_substrate=platform.settings.default_substrate)
