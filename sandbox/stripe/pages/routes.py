"""Addresses of the pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.stripe.pages.checkout import CheckoutPage
from sandbox.stripe.pages.invoice import InvoicePage
from sandbox.stripe.pages.portal import PortalPage
from sandbox.stripe.pages.view import View
from sandbox.stripe.store.account import Account

BOTH = ["GET", "POST"]


def page_routes(account: Account) -> list[Route]:
    """Routes of all pages."""
    view = View()

    async def home(_: Request) -> Response:
        sessions = account.every("checkout.session", status="open")[-20:]
        return view.show("home.html", sessions=sessions, endpoints=account.every("webhook_endpoint"))

    return [
        Route("/", home),
        Route("/pay/{session}", CheckoutPage(account, view).serve, methods=BOTH),
        Route("/portal/{secret}", PortalPage(account, view).serve, methods=BOTH),
        Route("/invoice/{invoice}", InvoicePage(account, view).serve, methods=BOTH),
    ]
