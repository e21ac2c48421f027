"""The public sign-up API: the pages' twin for programs."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response

from services.business.signups.forms import Entered, check_order
from services.business.signups.schemas import CheckoutCreated, CheckoutOrder, CheckoutStatus, StepView
from services.business.signups.service import Status
from services.kit.http.intake import BoundedRoute, takes
from services.web.api.parameters import SignupId
from services.web.dependencies.callers import admit_signup
from services.web.dependencies.process import PlatformDep, TodayDep
from services.web.dependencies.services import OnboardingDep

router = APIRouter(route_class=BoundedRoute, tags=["checkout"])

#: Forty answers (`CheckoutOrder`) of what people write in a form; a thousand characters of another script have 3 KB.
_ORDER_BYTES: Final = 64 * 1024


@router.post("/v1/checkout", status_code=201)
@takes(max_bytes=_ORDER_BYTES, before=admit_signup)
async def create_checkout(
    wanted: CheckoutOrder,
    platform: PlatformDep,
    today: TodayDep,
    onboarding: OnboardingDep,
    response: Response,
) -> CheckoutCreated:
    """Begin a sign-up; pay at `checkout_url`. Public, limited per address."""
    response.headers["cache-control"] = "no-store"
    entered = Entered(
        email=wanted.email,
        plan=wanted.plan,
        period=wanted.period,
        bundle=wanted.bundle,
        answers=wanted.answers,
    )
    order = check_order(entered, platform.catalogue, today, strict=True)
    started = await onboarding.start(order)
    base_url = platform.settings.base_url()
    return CheckoutCreated(
        signup_id=started.signup_id,
        checkout_url=started.checkout_url,
        status_url=f"{base_url}/v1/checkout/{started.signup_id}",
        welcome_url=f"{base_url}/welcome/{started.signup_id}",
    )


@router.get("/v1/checkout/{signup_id}")
async def checkout_status(signup_id: SignupId, onboarding: OnboardingDep, response: Response) -> CheckoutStatus:
    """What became of a sign-up. The id is the secret that opens it."""
    response.headers["cache-control"] = "no-store"
    return _view(await onboarding.status(signup_id, ask_stripe=True))


def _view(status: Status) -> CheckoutStatus:
    progress = status.progress
    return CheckoutStatus(
        signup_id=status.signup_id,
        stage=progress.stage.value,
        state=progress.state,
        title=progress.title,
        message=progress.message,
        steps=tuple(
            StepView(label=step.label, state=step.state.value, details=step.details) for step in progress.steps
        ),
        chat_url=status.chat_url,
        checkout_url=status.checkout_url,
    )
