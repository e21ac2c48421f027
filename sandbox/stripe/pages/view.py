"""Rendering: templates, money, dates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import jinja2
from starlette.responses import HTMLResponse

from sandbox.stripe.model.cards import Card, parse_number
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import Json

TEMPLATES = Path(__file__).parent / "templates"
MONTHS = range(1, 13)


class View:
    """HTML out of templates; everything is escaped."""

    def __init__(self) -> None:
        self.templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
        self.templates.filters["money"] = money

    def show(self, name: str, status: int = 200, **values: object) -> HTMLResponse:
        """Renders the template `name`."""
        return HTMLResponse(self.templates.get_template(name).render(**values), status_code=status)


def money(amount: int, currency: str) -> str:
    """`19.00 USD`, from the smallest unit of a currency with two decimals."""
    return f"{amount / 100:.2f} {currency.upper()}"


def day(moment: int) -> str:
    """`21 November 2026`."""
    date = dt.datetime.fromtimestamp(moment, tz=dt.UTC)
    return f"{date.day} {date:%B %Y}"


def typed_card(form: Json, now: int) -> Card:
    """The card a person typed. Raises ApiError in the words of Stripe's page."""
    month, _, year = str(form.get("cardExpiry") or "12/34").replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and int(month) in MONTHS):
        raise ApiError("Your card's expiration date is incomplete.", param="cardExpiry")
    card = Card(
        number=parse_number(str(form.get("cardNumber", ""))), exp_month=int(month), exp_year=2000 + int(year) % 100
    )
    today = dt.datetime.fromtimestamp(now, tz=dt.UTC)
    if (card.exp_year, card.exp_month) < (today.year, today.month):
        raise ApiError("Your card's expiration date is in the past.", param="cardExpiry")
    return card
