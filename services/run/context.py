"""What wiring may use: the platform of cells, and the connections to outsiders of which a process has one each."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from services.cells.context import CellPlatform

if TYPE_CHECKING:  # it loads the Stripe library, which most commands never need
    from services.business.billing.stripe_access import StripeAccess


@dataclass(frozen=True, kw_only=True)
class ProcessPlatform(CellPlatform):
    """The platform of one process, which closes what the process opened."""

    @cached_property
    def stripe(self) -> StripeAccess:
        """The process's one way to Stripe: its bound on what is asked at once holds for all nouns together."""
        from services.business.billing.stripe_access import StripeAccess  # late, as above

        return StripeAccess(self.settings)

    async def close(self) -> None:
        """End every connection, also when ending one of them fails."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.drivers.aclose)
            if "stripe" in vars(self):  # somebody asked for it
                stack.push_async_callback(self.stripe.close)
