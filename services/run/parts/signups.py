"""Wiring of sign-up: its pages, its API, and the static files of all pages."""

from __future__ import annotations

from services.business.billing.stripe_reader import StripeReader
from services.business.billing.stripe_writer import StripeWriter
from services.business.signups.adapters import PriceBook, TelegramLinks
from services.business.signups.service import Onboarding
from services.kit.limits.addresses import AddressLimiter, register
from services.kit.pages.rendering import STATIC_PATH, StaticPages
from services.kit.parts import Part
from services.run.context import ProcessPlatform
from services.web.api import checkout
from services.web.site import endpoints as site
from services.web.site.look import create_pages


def create_part(platform: ProcessPlatform) -> Part:
    """Sign-up as the factory takes it."""
    settings = platform.settings
    onboarding = Onboarding(
        database=platform.database,
        prices=PriceBook(StripeReader(platform.stripe)),
        checkouts=StripeWriter(platform.stripe),
        links=TelegramLinks(settings),
        base_url=settings.base_url(),
    )
    limiter = AddressLimiter(platform.database, name="signup", per_minute=settings.signup_rate_per_minute)
    return Part(
        name="onboarding",
        routers=(site.router, checkout.router),
        provides=(onboarding, limiter, create_pages(settings)),
        mounts={STATIC_PATH: StaticPages()},
        register_tasks=register(platform.database),
    )
