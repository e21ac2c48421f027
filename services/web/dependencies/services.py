"""What the nouns' parts provide to endpoints (`services.kit.parts.Part.provides`)."""

from __future__ import annotations

from typing import Annotated

from services.business.billing.service import Billing
from services.business.signups.service import Onboarding
from services.cells.substrates.registry import Drivers
from services.kit.http.provided import provided
from services.kit.pages.rendering import Pages

BillingDep = Annotated[Billing, provided(Billing)]
OnboardingDep = Annotated[Onboarding, provided(Onboarding)]
DriversDep = Annotated[Drivers, provided(Drivers)]
PagesDep = Annotated[Pages, provided(Pages)]
