"""What the templates are given. Pure but for reading the request's form."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from starlette.requests import Request

from clawstack.plans import Catalogue
from services.business.signups.errors import ANSWER_PREFIX, Problem
from services.business.signups.forms import Entered, read_form, shown
from services.business.signups.progress import Stage
from services.business.signups.service import Status
from services.tables.billing import Signup
from services.web.site.presentation import plan_views
from tenants.bundles import Bundle, QuestionKind, list_bundles

_FIELDS: Final = 60
_INPUT_TYPES: Final = {QuestionKind.TEXT: "text", QuestionKind.DATE: "date", QuestionKind.EMAIL: "email"}


async def read_body(request: Request) -> Entered:
    """The submitted form; files and floods of fields are refused by the parser with 400."""
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        return read_form({key: value for key, value in form.items() if isinstance(value, str)})


def entered_of(earlier: Signup | None, *, plan: str, bundle: str, period: str, catalogue: Catalogue) -> Entered:
    """What the form begins with: an earlier sign-up that was not paid, or what the link names."""
    if earlier is not None:
        return Entered(
            email=earlier.email,
            plan=earlier.plan,
            period=earlier.period,
            bundle=earlier.bundle,
            answers={key: str(value) for key, value in earlier.answers.items()},
        )
    bundles = {known.name for known in list_bundles()}
    plans = [view.key for view in plan_views(catalogue)]
    return Entered(
        plan=plan if plan in plans else plans[0],
        period=period if period in {"month", "year"} else "month",
        bundle=bundle if bundle in bundles else "",
    )


def landing_context(catalogue: Catalogue) -> dict[str, Any]:
    """For the first page."""
    return {"plans": plan_views(catalogue), "bundles": list_bundles()}


def signup_context(
    catalogue: Catalogue,
    entered: Entered,
    today: date,
    *,
    problems: tuple[Problem, ...] = (),
    cancelled: bool = False,
) -> dict[str, Any]:
    """For the form, as filled in, with what is wrong beside each field."""
    bundles = list_bundles()
    chosen = next((bundle for bundle in bundles if bundle.name == entered.bundle), None)
    return {
        "plans": plan_views(catalogue),
        "bundles": bundles,
        "entered": entered,
        "chosen": chosen,
        "questions": _questions(chosen, entered, today),
        "kept": _kept(bundles, chosen, entered),
        "problems": problems,
        "labels": _labels(chosen),
        "wrong": {problem.field: problem.message for problem in problems},
        "cancelled": cancelled,
    }


def status_context(status: Status) -> dict[str, Any]:
    """For the success page."""
    progress = status.progress
    return {
        "signup_id": status.signup_id,
        "progress": progress,
        "chat_url": status.chat_url,
        "checkout_url": status.checkout_url,
        # Live without a link: the bot has not introduced itself yet, which takes seconds.
        "polling": not progress.final or (progress.stage is Stage.LIVE and status.chat_url is None),
        "seconds": 10 if progress.stage in {Stage.PAUSED, Stage.ATTENTION} else 1,
    }


def _questions(chosen: Bundle | None, entered: Entered, today: date) -> list[dict[str, Any]]:
    return [
        {
            "name": ANSWER_PREFIX + question.key,
            "type": _INPUT_TYPES.get(question.kind),
            "value": shown(entered.answers.get(question.key, "")),
            "question": question,
            "latest": today.isoformat(),
            "earliest": f"{today.year - question.years_back}-01-01",
        }
        for question in (chosen.questions if chosen is not None else ())
    ]


def _labels(chosen: Bundle | None) -> dict[str, str]:
    """Names of the fields, for the list of problems."""
    asked = {ANSWER_PREFIX + question.key: question.label for question in (chosen.questions if chosen else ())}
    return {"bundle": "What it is for", "plan": "Plan", "period": "Month or year", "email": "E-mail address"} | asked


def _kept(bundles: tuple[Bundle, ...], chosen: Bundle | None, entered: Entered) -> dict[str, str]:
    """Answers to questions that the chosen bundle does not ask: kept, should the visitor change back."""
    asked = {question.key for question in chosen.questions} if chosen is not None else set()
    known = {question.key for bundle in bundles for question in bundle.questions}
    return {
        ANSWER_PREFIX + key: shown(value) for key, value in entered.answers.items() if key in known - asked and value
    }
