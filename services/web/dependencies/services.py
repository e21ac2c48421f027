"""What the nouns' parts provide to endpoints (`services.kit.parts.Part.provides`)."""

from __future__ import annotations

from typing import Annotated

from services.business.billing.service import Billing
from services.business.signups.service import Onboarding
from services.business.tenants.watching import EventWatch
from services.cells.substrates.registry import Drivers
from services.kit.http.provided import provided
from services.kit.http.streams import StreamSlots
from services.kit.pages.rendering import Pages

BillingDep = Annotated[Billing, provided(Billing)]
OnboardingDep = Annotated[Onboarding, provided(Onboarding)]
WatchDep = Annotated[EventWatch, provided(EventWatch)]
SlotsDep = Annotated[StreamSlots, provided(StreamSlots)]
DriversDep = Annotated[Drivers, provided(Drivers)]
PagesDep = Annotated[Pages, provided(Pages)]
