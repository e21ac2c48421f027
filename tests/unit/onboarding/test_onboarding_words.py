"""Prices, progress and limits in words that people use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clawstack.plans import load_catalogue
from clawstack.vocabulary import Desired
from services.business.billing.decisions import GRACE, UNPAID
from services.business.signups.progress import Happening, SignupSituation, Stage, StepState, progress_of
from services.kit.limits.addresses import network_of
from services.kit.pages.origin import ForeignFormError, require_own_form
from services.web.site.presentation import money, plan_views

HEALTHY = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (900, "usd", "$9"),
        (950, "usd", "$9.50"),
        (905, "eur", "€9.05"),
        (49000, "gbp", "£490"),
        (123456789, "usd", "$1,234,567.89"),
        (1250, "chf", "12.50 CHF"),
        (900, "jpy", "900 JPY"),
    ],
)
def test_money_has_no_needless_zeros(amount: int, currency: str, shown: str) -> None:
    assert money(amount, currency) == shown


def test_plans_are_shown_cheapest_first_from_the_catalogue() -> None:
    views = plan_views(load_catalogue())
    assert [view.key for view in views] == ["starter", "pro", "business"]
    assert (views[0].monthly, views[0].yearly, views[0].saving) == ("$9", "$90", "2 months free")
    assert "5 million tokens (word pieces) a month" in views[0].features


def situation(state: str | None = None, *, paid: bool = True, **other: object) -> SignupSituation:
    return SignupSituation(paid=paid, tenant_state=state, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "stage", "state", "final"),
    [
        (situation(paid=False), Stage.UNPAID, "awaiting_payment", False),
        (
            situation(paid=False, subscription_status="incomplete", wanted=None),
            Stage.UNPAID,
            "awaiting_payment",
            False,
        ),
        (situation(paid=False, wanted=Desired.ABSENT), Stage.ENDED, "ended", True),
        (situation(paid=False, expired=True), Stage.ENDED, "expired", True),
        (
            situation(paid=False, expired=True, subscription_status="incomplete"),
            Stage.UNPAID,
            "awaiting_payment",
            False,
        ),
        (situation(paid=False, wanted=None, attention="unknown_price"), Stage.ATTENTION, "needs_attention", False),
        (situation(), Stage.BUILDING, "pending", False),
        (situation("pending"), Stage.BUILDING, "pending", False),
        (situation("provisioning"), Stage.BUILDING, "provisioning", False),
        (situation("failed"), Stage.BUILDING, "failed", False),
        (situation("degraded"), Stage.BUILDING, "degraded", False),
        (situation("healthy", healthy_at=HEALTHY), Stage.LIVE, "healthy", True),
        (situation("updating", healthy_at=HEALTHY), Stage.LIVE, "updating", True),
        (situation("suspended", wanted=Desired.SUSPENDED), Stage.PAUSED, "suspended", False),
        (situation("resuming", healthy_at=HEALTHY), Stage.BUILDING, "resuming", False),
        (situation("needs_attention"), Stage.ATTENTION, "needs_attention", False),
        (situation("deleting", wanted=Desired.ABSENT), Stage.ENDED, "deleting", True),
        (situation("deleted", wanted=Desired.ABSENT), Stage.ENDED, "deleted", True),
    ],
)
def test_every_situation_has_its_words(given: SignupSituation, stage: Stage, state: str, final: bool) -> None:
    progress = progress_of(given)
    assert (progress.stage, progress.state, progress.final) == (stage, state, final)
    assert progress.title
    assert progress.message.endswith(".")


def test_a_pause_says_why() -> None:
    paused = progress_of(situation("suspended", wanted=Desired.SUSPENDED, wanted_reason=UNPAID))
    assert paused.message == UNPAID
    assert progress_of(situation("healthy", healthy_at=HEALTHY, wanted_reason=GRACE)).stage is Stage.LIVE


def test_a_waiting_customer_reads_of_pieces_not_of_resources() -> None:
    events = (
        Happening(kind="started", message="pulumi up"),
        Happening(
            kind="resource", message="Creating state directory x", data={"type": "clawstack:process:StateDirectory"}
        ),
        Happening(
            kind="resource", message="Created state directory x", data={"type": "clawstack:process:StateDirectory"}
        ),
        Happening(kind="diagnostic", message="/var/lib/clawstack/secret-path failed"),
        Happening(kind="policy", message="Rule x warns"),
        Happening(kind="resource", message="Creating gateway", data={"type": "clawstack:process:Gateway"}),
    )
    building = progress_of(situation("provisioning", happenings=events)).steps[1]
    assert building.state is StepState.ACTIVE
    assert building.details == ("A memory of its own", "The assistant itself, getting to know you")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_what_counts_as_one_address(address: str | None, network: str) -> None:
    assert network_of(address) == network


OWN = "https://sell.example.com"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": OWN},
        {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"},
    ],
)
def test_our_own_form_is_taken(headers: dict[str, str]) -> None:
    require_own_form(headers, base_url=OWN)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example", "host": "sell.example.com"},
        {"origin": "null", "host": "sell.example.com"},
        {"origin": "https://sell.example.com.evil.example"},
        {"origin": "http://[broken"},
    ],
)
def test_a_form_of_another_site_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ForeignFormError):
        require_own_form(headers, base_url=OWN)
