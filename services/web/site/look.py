"""The templates of the public pages, and where their forms may lead."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from clawstack.settings import Settings
from services.kit.pages.rendering import Pages

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STRIPE_API: Final = "api.stripe.com"
_STRIPE_CHECKOUT: Final = "https://checkout.stripe.com"


def create_pages(settings: Settings) -> Pages:
    """The public pages; their forms may lead on to where payments are made."""
    return Pages(_TEMPLATES, form_targets=payment_origins(settings))


def payment_origins(settings: Settings) -> tuple[str, ...]:
    """Where payment pages live: at Stripe, or where the stand-in for Stripe is."""
    parts = urlsplit(settings.stripe_api_base)
    return (_STRIPE_CHECKOUT,) if parts.hostname == _STRIPE_API else (f"{parts.scheme}://{parts.netloc}",)
