"""The official Stripe client, asynchronous, bounded in time and in how much it asks at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import stripe

from clawstack.errors import TemporaryError
from clawstack.settings import Settings
from services.billing.errors import StripeNotConfiguredError, translated

#: Reads and writes under way at once in one process. Stripe allows 25 requests a second in test mode, 100 live.
_AT_ONCE: Final = 8
#: Seconds for one logical exchange, pages and the library's own two retries included.
_BUDGET: Final = 45.0
_TIMEOUT: Final = httpx.Timeout(20.0, connect=5.0)
_NETWORK_RETRIES: Final = 2


class StripeAccess:
    """One process's way to Stripe. Close it with the process."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet. Without an API key every exchange raises StripeNotConfiguredError."""
        self._settings = settings
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._http: stripe.HTTPXClient | None = None
        self._client: stripe.StripeClient | None = None

    @asynccontextmanager
    async def exchange(self, *, budget: float = _BUDGET) -> AsyncIterator[stripe.StripeClient]:
        """The client for one exchange of at most `budget` seconds; raises this project's errors, never the library's."""
        client = self._opened()
        try:
            async with asyncio.timeout(budget), self._slots:
                with translated():
                    yield client
        except TimeoutError as error:
            raise TemporaryError(
                f"Stripe did not answer within {budget:.0f} seconds.", code="stripe_slow", retry_after=5.0
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close_async()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self._http = self._client = None

    def _opened(self) -> stripe.StripeClient:
        key = self._settings.stripe_api_key
        if key is None or not key.get_secret_value().strip():
            raise StripeNotConfiguredError(
                "There is no Stripe API key.", retry_after=60.0, remedy="Set CLAWSTACK_STRIPE_API_KEY."
            )
        if self._client is None:
            self._http = stripe.HTTPXClient(timeout=_TIMEOUT)
            self._client = stripe.StripeClient(
                key.get_secret_value(),
                base_addresses={"api": self._settings.stripe_api_base},
                http_client=self._http,
                max_network_retries=_NETWORK_RETRIES,
            )
        return self._client
