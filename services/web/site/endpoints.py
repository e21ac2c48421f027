"""The public pages: what is sold, sign-up, and what became of it."""

# No `from __future__ import annotations` here: FastAPI could not resolve annotations that name local things.
import hashlib
from collections.abc import Callable
from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from clawstack.plans import Catalogue
from services.business.signups.errors import OrderRefusedError
from services.business.signups.forms import check_order
from services.business.signups.service import Onboarding
from services.kit.limits import AddressLimiter
from services.kit.pages.origin import require_own_form
from services.kit.pages.rendering import Pages
from services.kit.pages.routes import page_route
from services.web.site.views import entered_of, landing_context, read_body, signup_context, status_context

_SEE_OTHER = 303
_UNPROCESSABLE = 422
_NO_CONTENT = 204


def create_signup_router(
    *,
    pages: Pages,
    catalogue: Catalogue,
    onboarding: Onboarding,
    limiter: AddressLimiter,
    base_url: str,
    today: Callable[[], date],
) -> APIRouter:
    """From the first page to the payment page. `today`: the calendar day that birthdays are compared with."""
    router = APIRouter(route_class=page_route(pages), include_in_schema=False)

    @router.get("/")
    async def landing() -> Response:
        return pages.response("landing.html", landing_context(catalogue))

    @router.get("/signup")
    async def signup_form(plan: str = "", bundle: str = "", period: str = "month", again: str = "") -> Response:
        earlier = await onboarding.unpaid(again) if again else None
        entered = entered_of(earlier, plan=plan, bundle=bundle, period=period, catalogue=catalogue)
        context = signup_context(catalogue, entered, today(), cancelled=earlier is not None)
        return pages.response("signup.html", context)

    @router.post("/signup/questions")
    async def questions(request: Request) -> Response:
        """Only the questions of the bundle that is chosen now; what was typed stays."""
        require_own_form(request.headers, base_url=base_url)
        return pages.response("questions.html", signup_context(catalogue, await read_body(request), today()))

    @router.post("/signup/questions/page")
    async def questions_page(request: Request) -> Response:
        """The same for a browser without scripts: the whole form again, nothing lost."""
        require_own_form(request.headers, base_url=base_url)
        return pages.response("signup.html", signup_context(catalogue, await read_body(request), today()))

    @router.post("/signup")
    async def sign_up(request: Request) -> Response:
        require_own_form(request.headers, base_url=base_url)
        entered = await read_body(request)
        try:
            order = check_order(entered, catalogue, today())
        except OrderRefusedError as refused:
            context = signup_context(catalogue, entered, today(), problems=refused.problems)
            return pages.response("signup.html", context, status=_UNPROCESSABLE)
        limiter.admit(request.client.host if request.client else None)
        started = await onboarding.start(order)
        return RedirectResponse(started.checkout_url, status_code=_SEE_OTHER)

    return router


def create_welcome_router(*, pages: Pages, onboarding: Onboarding) -> APIRouter:
    """What became of a sign-up."""
    router = APIRouter(route_class=page_route(pages), include_in_schema=False)

    def digest_of(context: dict[str, Any]) -> str:
        return hashlib.sha256(pages.html("progress.html", context | {"seen": ""}).encode()).hexdigest()[:16]

    @router.get("/welcome/{signup_id}")
    async def welcome(signup_id: str) -> Response:
        context = status_context(await onboarding.status(signup_id, ask_stripe=True))
        return pages.response("welcome.html", context | {"seen": digest_of(context)})

    @router.get("/welcome/{signup_id}/progress")
    async def progress(signup_id: str, seen: str = "") -> Response:
        """The part of the page that changes; 204 while it does not, so that nothing moves under a reader."""
        context = status_context(await onboarding.status(signup_id))
        digest = digest_of(context)
        if digest == seen:
            return Response(status_code=_NO_CONTENT, headers={"Cache-Control": "no-store"})
        return pages.response("progress.html", context | {"seen": digest})

    return router
