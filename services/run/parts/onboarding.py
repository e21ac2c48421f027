"""Wiring of sign-up: its pages, its API, and the static files of all pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from clawstack.settings import Settings
from services.business.billing.stripe_access import StripeAccess
from services.business.billing.stripe_reader import StripeReader
from services.business.billing.stripe_writer import StripeWriter
from services.business.signups.adapters import PriceBook, TelegramLinks
from services.business.signups.service import Onboarding
from services.kit.context import Platform
from services.kit.limits import AddressLimiter
from services.kit.pages.rendering import STATIC_PATH, Pages, StaticPages
from services.kit.parts import Part
from services.web.api.checkout import create_api_router
from services.web.site.endpoints import create_signup_router, create_welcome_router

_STRIPE_API = "api.stripe.com"
_STRIPE_CHECKOUT = "https://checkout.stripe.com"


def create_part(platform: Platform) -> Part:
    """Sign-up as the factory takes it."""
    settings, catalogue = platform.settings, platform.catalogue
    access = StripeAccess(settings)
    pages = Pages(Path(__file__).parent / "templates", form_targets=payment_origins(settings))
    limiter = AddressLimiter(per_minute=settings.signup_rate_per_minute)
    base_url = settings.base_url()
    onboarding = Onboarding(
        database=platform.database,
        prices=PriceBook(StripeReader(access)),
        checkouts=StripeWriter(access),
        links=TelegramLinks(settings),
        base_url=base_url,
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await access.close()

    return Part(
        name="onboarding",
        routers=(
            create_signup_router(
                pages=pages,
                catalogue=catalogue,
                onboarding=onboarding,
                limiter=limiter,
                base_url=base_url,
                today=_today,
            ),
            create_welcome_router(pages=pages, onboarding=onboarding),
            create_api_router(
                catalogue=catalogue, onboarding=onboarding, limiter=limiter, base_url=base_url, today=_today
            ),
        ),
        mounts={STATIC_PATH: StaticPages()},
        lifespan=lifespan,
    )


def payment_origins(settings: Settings) -> tuple[str, ...]:
    """Where payment pages live: at Stripe, or where the stand-in for Stripe is."""
    parts = urlsplit(settings.stripe_api_base)
    return (_STRIPE_CHECKOUT,) if parts.hostname == _STRIPE_API else (f"{parts.scheme}://{parts.netloc}",)


def _today() -> date:
    return datetime.now(UTC).date()
