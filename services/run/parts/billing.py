"""Wiring of billing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.business.billing.service import Billing
from services.business.billing.stripe_access import StripeAccess
from services.business.billing.stripe_reader import StripeReader
from services.business.billing.stripe_sweep import StripeSweep
from services.business.billing.tasks import BillingTasks
from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api.webhooks import create_router


def create_part(platform: Platform) -> Part:
    """Billing as the factory takes it."""
    settings = platform.settings
    access = StripeAccess(settings)
    reader = StripeReader(access)
    billing = create_billing(platform)
    sweep = StripeSweep(
        database=platform.database,
        reader=reader,
        billing=billing,
        catalogue=platform.catalogue,
        interval=settings.stripe_sweep_interval,
    )
    tasks = BillingTasks(database=platform.database, reader=reader, billing=billing, sweep=sweep)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await access.close()

    return Part(
        name="billing",
        routers=(create_router(settings=settings, database=platform.database, billing=billing),),
        lifespan=lifespan,
        register_tasks=tasks.register,
    )


def create_billing(platform: Platform) -> Billing:
    """Billing's logic."""
    return Billing(catalogue=platform.catalogue, default_substrate=platform.settings.default_substrate)
