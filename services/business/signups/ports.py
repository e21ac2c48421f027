"""What sign-up needs of other nouns, as it sees them."""

from __future__ import annotations

import uuid
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from services.business.billing.stripe_writer import Checkout, CheckoutRequest


class Prices(Protocol):
    """The one who knows prices at Stripe."""

    async def id_of(self, lookup_key: str) -> str:
        """The active price's id; raises PermanentError when there is none."""
        ...

    def forget(self, lookup_key: str) -> None:
        """Ask anew the next time: Stripe did not take the price."""
        ...


class Checkouts(Protocol):
    """The one who opens payment pages."""

    async def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """A page to pay on."""
        ...


class ChatLinks(Protocol):
    """The one who knows how a person reaches their assistant."""

    async def link(self, session: AsyncSession, tenant_id: uuid.UUID) -> str | None:
        """Address that opens the chat and binds it; None while it is not known yet."""
        ...
