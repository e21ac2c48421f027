"""The official Stripe client, asynchronous, bounded in time and in how much it asks at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import stripe
from typing_extensions import override

from clawstack.errors import TemporaryError
from clawstack.settings import Settings
from services.business.billing.errors import StripeNotConfiguredError, translated

#: Reads and writes under way at once in one process. Stripe allows 25 requests a second in test mode, 100 live.
_AT_ONCE: Final = 8
#: Seconds for one logical exchange, pages and the library's own two retries included.
_BUDGET: Final = 45.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=20.0, connect=5.0)
_NETWORK_RETRIES: Final = 2


class _Transport(stripe.AIOHTTPClient):
    """The library's aiohttp transport, which forgets that reading the body can fail, too."""

    @override
    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            return await super().request_async(method, url, headers, post_data)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._handle_request_error(error)


class StripeAccess:
    """One process's way to Stripe. Close it with the process."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet. Without an API key every exchange raises StripeNotConfiguredError."""
        self._settings = settings
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
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
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    def _opened(self) -> stripe.StripeClient:
        key = self._settings.stripe_api_key
        if key is None or not key.get_secret_value().strip():
            raise StripeNotConfiguredError(
                "There is no Stripe API key.", retry_after=60.0, remedy="Set CLAWSTACK_STRIPE_API_KEY."
            )
        if self._client is None:
            loopback = urlsplit(self._settings.stripe_api_base).hostname in {"127.0.0.1", "::1", "localhost"}
            self._session = aiohttp.ClientSession(trust_env=not loopback)  # proxies are for what is far away
            self._client = stripe.StripeClient(
                key.get_secret_value(),
                base_addresses={"api": self._settings.stripe_api_base},
                http_client=_Transport(timeout=_TIMEOUT, session=self._session),
                max_network_retries=_NETWORK_RETRIES,
            )
        return self._client
