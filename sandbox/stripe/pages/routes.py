"""Addresses of the pages."""

from __future__ import annotations

from pathlib import Path

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.stripe.account import Account
from sandbox.stripe.cards import Card, parse_number
from sandbox.stripe.control.actions import pay_session
from sandbox.stripe.errors import ApiError
from sandbox.stripe.forms import decode
from sandbox.stripe.values import Json

TEMPLATES = Path(__file__).parent / "templates"


def money(amount: int, currency: str) -> str:
    """`19.00 USD`."""
    return f"{amount / 100:.2f} {currency.upper()}"


class Pages:
    """Shows and does; what a page does is also possible through /_control."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
        self.templates.filters["money"] = money

    def show(self, name: str, status: int = 200, **values: object) -> HTMLResponse:
        """Renders a template."""
        return HTMLResponse(self.templates.get_template(name).render(**values), status_code=status)

    async def pay(self, request: Request) -> Response:
        """GET shows what is sold; POST pays and goes to the success page."""
        session = self.account.find(request.path_params["session"])
        if session is None or session["object"] != "checkout.session":
            return self.show("message.html", 404, title="Not found", text="There is no such checkout page.")
        if request.method == "GET":
            return self._checkout(session)
        form = decode((await request.body()).decode(errors="replace"))
        try:
            done = pay_session(
                self.account,
                session["id"],
                _typed_card(form),
                email=form.get("email") or None,
                name=form.get("billingName") or None,
            )
        except ApiError as error:
            return self._checkout(session, error=error.message, form=form, status=402)
        return RedirectResponse(_success(done), status_code=303)

    def _checkout(
        self, session: Json, *, error: str | None = None, form: Json | None = None, status: int = 200
    ) -> Response:
        if session["status"] == "complete":
            return self.show("message.html", title="All done", text="This page was paid already. You can close it.")
        if session["status"] == "expired":
            text = "This page has expired. Go back and start again."
            return self.show("message.html", 410, title="Expired", text=text, back=session["cancel_url"])
        customer = self.account.find(session["customer"]) or {}
        email = session["customer_email"] or customer.get("email")
        return self.show(
            "checkout.html",
            status,
            session=session,
            lines=session["_line_items"],
            error=error,
            form=form or {},
            email=email,
        )


def _typed_card(form: Json) -> Card:
    month, _, year = str(form.get("cardExpiry") or "12/34").replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and 1 <= int(month) <= 12):  # noqa: PLR2004 - months
        raise ApiError("Your card's expiration date is incomplete.", param="cardExpiry")
    return Card(
        number=parse_number(str(form.get("cardNumber", ""))), exp_month=int(month), exp_year=2000 + int(year) % 100
    )


def _success(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def page_routes(account: Account) -> list[Route]:
    """Routes of all pages."""
    pages = Pages(account)
    return [Route("/pay/{session}", pages.pay, methods=["GET", "POST"])]
