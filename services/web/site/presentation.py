"""Numbers and plans in words that people use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clawstack.plans import Catalogue, Period, Plan

_SYMBOLS: Final = {"usd": "$", "eur": "€", "gbp": "£"}
#: Currencies without a smaller unit, where Stripe's amounts are whole (docs.stripe.com/currencies#zero-decimal).
_WHOLE: Final = frozenset({"jpy", "krw", "vnd", "clp", "xaf", "xof", "xpf", "pyg", "ugx"})
_MILLION: Final = 1_000_000
_MONTHS: Final = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanView:
    """A plan as pages show it."""

    key: str
    title: str
    summary: str
    monthly: str
    yearly: str
    saving: str | None
    """`2 months free`, when a year costs a whole number of months less."""
    features: tuple[str, ...]


def money(amount: int, currency: str) -> str:
    """An amount in the currency's smallest unit, without needless zeros: `$9`, `€9.50`, `12.50 CHF`."""
    whole, rest = (amount, 0) if currency in _WHOLE else divmod(amount, 100)
    number = f"{whole:,}" + (f".{rest:02d}" if rest else "")
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"


def plan_views(catalogue: Catalogue) -> tuple[PlanView, ...]:
    """Every plan that is sold by the month and by the year, cheapest first."""
    sold = [plan for plan in catalogue.plans.values() if {Period.MONTH, Period.YEAR} <= set(plan.prices)]
    return tuple(_view(plan, catalogue.currency) for plan in sorted(sold, key=lambda plan: plan.prices[Period.MONTH]))


def _view(plan: Plan, currency: str) -> PlanView:
    month, year = plan.prices[Period.MONTH], plan.prices[Period.YEAR]
    return PlanView(
        key=plan.key,
        title=plan.title,
        summary=plan.summary,
        monthly=money(month, currency),
        yearly=money(year, currency),
        saving=_saving(month, year),
        features=_features(plan),
    )


def _saving(month: int, year: int) -> str | None:
    free, rest = divmod(_MONTHS * month - year, month)
    if free < 1 or rest:
        return None
    return "1 month free" if free == 1 else f"{free} months free"


def _features(plan: Plan) -> tuple[str, ...]:
    return (
        f"{_millions(plan.monthly_tokens)} tokens (word pieces) a month",
        f"{len(plan.models)} language models to think with",
        f"{plan.resources.disk_mb / 1024:g} GB for its memory and files",
    )


def _millions(count: int) -> str:
    return f"{count / _MILLION:g} million" if count >= _MILLION else f"{count:,}"
