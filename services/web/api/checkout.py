"""The public sign-up API: the pages' twin for programs."""

# No `from __future__ import annotations` here: FastAPI could not resolve annotations that name local things.
from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from clawstack.plans import Catalogue
from services.business.signups.forms import Entered, check_order
from services.business.signups.schemas import CheckoutCreated, CheckoutOrder, CheckoutStatus, StepView
from services.business.signups.service import Onboarding, Status
from services.kit.limits import AddressLimiter


def create_api_router(
    *,
    catalogue: Catalogue,
    onboarding: Onboarding,
    limiter: AddressLimiter,
    base_url: str,
    today: Callable[[], date],
) -> APIRouter:
    """The routes of the JSON API."""
    router = APIRouter(tags=["checkout"])

    @router.post("/v1/checkout", status_code=201)
    async def create_checkout(wanted: CheckoutOrder, request: Request, response: Response) -> CheckoutCreated:
        """Begin a sign-up; pay at `checkout_url`. Public, limited per address."""
        response.headers["cache-control"] = "no-store"
        entered = Entered(
            email=wanted.email,
            plan=wanted.plan,
            period=wanted.period,
            bundle=wanted.bundle,
            answers=wanted.answers,
        )
        order = check_order(entered, catalogue, today(), strict=True)
        limiter.admit(request.client.host if request.client else None)
        started = await onboarding.start(order)
        return CheckoutCreated(
            signup_id=started.signup_id,
            checkout_url=started.checkout_url,
            status_url=f"{base_url}/v1/checkout/{started.signup_id}",
            welcome_url=f"{base_url}/welcome/{started.signup_id}",
        )

    @router.get("/v1/checkout/{signup_id}")
    async def checkout_status(signup_id: Annotated[str, Path(max_length=100)], response: Response) -> CheckoutStatus:
        """What became of a sign-up. The id is the secret that opens it."""
        response.headers["cache-control"] = "no-store"
        return _view(await onboarding.status(signup_id, ask_stripe=True))

    return router


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
