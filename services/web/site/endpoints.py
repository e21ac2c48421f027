"""The public pages: what is sold, sign-up, and what became of it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from starlette.responses import RedirectResponse

from services.business.signups.errors import OrderRefusedError
from services.business.signups.forms import Entered, check_order
from services.kit.http.intake import takes
from services.kit.pages.rendering import Pages
from services.kit.pages.routes import PageRoute
from services.web.dependencies.callers import OWN_FORM, admit_signup
from services.web.dependencies.process import PlatformDep, TodayDep
from services.web.dependencies.services import OnboardingDep, PagesDep
from services.web.site.views import entered_of, landing_context, read_body, signup_context, status_context

router = APIRouter(route_class=PageRoute, include_in_schema=False)

EnteredDep = Annotated[Entered, Depends(read_body)]

#: Sixty fields (`read_body`), of which a few are long; encoded for a form a letter of another script has nine bytes.
_FORM_BYTES: Final = 256 * 1024
_SEE_OTHER: Final = 303
_UNPROCESSABLE: Final = 422
_NO_CONTENT: Final = 204


@router.get("/")
async def landing(platform: PlatformDep, pages: PagesDep) -> Response:
    return pages.response("landing.html", landing_context(platform.catalogue))


@router.get("/signup")
async def signup_form(
    platform: PlatformDep,
    today: TodayDep,
    onboarding: OnboardingDep,
    pages: PagesDep,
    plan: str = "",
    bundle: str = "",
    period: str = "month",
    again: str = "",
) -> Response:
    earlier = await onboarding.unpaid(again) if again else None
    entered = entered_of(earlier, plan=plan, bundle=bundle, period=period, catalogue=platform.catalogue)
    context = signup_context(platform.catalogue, entered, today, cancelled=earlier is not None)
    return pages.response("signup.html", context)


@router.post("/signup/questions", dependencies=[OWN_FORM])
@takes(max_bytes=_FORM_BYTES)
async def questions(entered: EnteredDep, platform: PlatformDep, today: TodayDep, pages: PagesDep) -> Response:
    """Only the questions of the bundle that is chosen now; what was typed stays."""
    return pages.response("questions.html", signup_context(platform.catalogue, entered, today))


@router.post("/signup/questions/page", dependencies=[OWN_FORM])
@takes(max_bytes=_FORM_BYTES)
async def questions_page(entered: EnteredDep, platform: PlatformDep, today: TodayDep, pages: PagesDep) -> Response:
    """The same for a browser without scripts: the whole form again, nothing lost."""
    return pages.response("signup.html", signup_context(platform.catalogue, entered, today))


@router.post("/signup", dependencies=[OWN_FORM])
@takes(max_bytes=_FORM_BYTES, before=admit_signup)
async def sign_up(
    entered: EnteredDep,
    platform: PlatformDep,
    today: TodayDep,
    onboarding: OnboardingDep,
    pages: PagesDep,
) -> Response:
    try:
        order = check_order(entered, platform.catalogue, today)
    except OrderRefusedError as refused:
        context = signup_context(platform.catalogue, entered, today, problems=refused.problems)
        return pages.response("signup.html", context, status=_UNPROCESSABLE)
    started = await onboarding.start(order)
    return RedirectResponse(started.checkout_url, status_code=_SEE_OTHER)


@router.get("/welcome/{signup_id}")
async def welcome(signup_id: str, onboarding: OnboardingDep, pages: PagesDep) -> Response:
    context = status_context(await onboarding.status(signup_id, ask_stripe=True))
    return pages.response("welcome.html", context | {"seen": _digest(pages, context)})


@router.get("/welcome/{signup_id}/progress")
async def progress(signup_id: str, onboarding: OnboardingDep, pages: PagesDep, seen: str = "") -> Response:
    """The part of the page that changes; 204 while it does not, so that nothing moves under a reader."""
    context = status_context(await onboarding.status(signup_id))
    digest = _digest(pages, context)
    if digest == seen:
        return Response(status_code=_NO_CONTENT, headers={"Cache-Control": "no-store"})
    return pages.response("progress.html", context | {"seen": digest})


def _digest(pages: Pages, context: dict[str, Any]) -> str:
    """Tells two states of the changing part apart."""
    return hashlib.sha256(pages.html("progress.html", context | {"seen": ""}).encode()).hexdigest()[:16]
