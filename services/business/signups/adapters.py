"""Sign-up's wishes in the words of billing and Telegram."""

from __future__ import annotations

import time
import uuid
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import PermanentError, TemporaryError
from clawstack.settings import Settings
from services.business.billing.stripe_reader import StripeReader
from services.traffic.telegram.links import create_link

_KEPT_SECONDS: Final = 300.0


class PriceBook:
    """Prices by lookup key, remembered for five minutes."""

    def __init__(self, reader: StripeReader) -> None:
        self._reader = reader
        self._known: dict[str, tuple[str, float]] = {}

    async def id_of(self, lookup_key: str) -> str:
        """The active price's id; raises PermanentError when Stripe has none under this key."""
        known = self._known.get(lookup_key)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        price = await self._reader.price_of(lookup_key)
        if price is None:
            raise PermanentError(
                f"Stripe has no active price with the lookup key {lookup_key}.",
                code="price_missing",
                remedy="Run: clawstack admin stripe-setup",
            )
        self._known[lookup_key] = (price.id, time.monotonic() + _KEPT_SECONDS)
        return price.id

    def forget(self, lookup_key: str) -> None:
        """Ask anew the next time."""
        self._known.pop(lookup_key, None)


class TelegramLinks:
    """Deep links of the shared bot."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def link(self, session: AsyncSession, tenant_id: uuid.UUID) -> str | None:
        """Address that opens the chat; None while the bot has not introduced itself."""
        try:
            return (await create_link(session, tenant_id, settings=self._settings)).url
        except TemporaryError:
            return None
