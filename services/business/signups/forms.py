"""What a visitor typed, and the order that it makes. Pure: the page and the JSON API share every rule here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from email_validator import EmailNotValidError, validate_email

from clawstack.errors import InvalidInputError
from clawstack.plans import Catalogue, Period, Plan
from services.business.signups.errors import ANSWER_PREFIX, OrderRefusedError, Problem
from tenants.bundles import Bundle, Question, load_bundle, validate_answers

_MISSING: Final = "Please fill this in."
_LONGEST_VALUE: Final = 1000
_LONGEST_EMAIL: Final = 254  # RFC 5321, section 4.5.3.1.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """Exactly what was typed, to be shown again when something is wrong."""

    email: str = ""
    plan: str = ""
    period: str = Period.MONTH.value
    bundle: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A sign-up that can be sold."""

    email: str
    plan: Plan
    period: Period
    bundle: Bundle
    answers: Mapping[str, str]

    @property
    def lookup_key(self) -> str:
        """Of the price at Stripe."""
        return self.plan.lookup_key(self.period)


def read_form(values: Mapping[str, str]) -> Entered:
    """The fields of the sign-up form; what is absent is empty, what is absurdly long is cut before anything reads it."""

    def text(name: str, default: str = "") -> str:
        return shown(values.get(name, default))

    answers = {key.removeprefix(ANSWER_PREFIX): shown(value) for key, value in values.items() if _is_answer(key)}
    return Entered(
        email=text("email"),
        plan=text("plan"),
        period=text("period", Period.MONTH.value),
        bundle=text("bundle"),
        answers=answers,
    )


def check_order(entered: Entered, catalogue: Catalogue, today: date, *, strict: bool = False) -> Order:
    """The order; raises OrderRefusedError with every field that is wrong, so that one round is enough.

    `strict` refuses answers that the bundle does not ask for. The page sends such: those kept from another bundle.
    """
    problems: list[Problem] = []
    bundle = _bundle(entered.bundle, problems)
    if bundle is not None and strict:
        _refuse_unasked(bundle, entered.answers, problems)
    answers = _answers(bundle, entered.answers, today, problems) if bundle is not None else {}
    plan = _plan(entered.plan, catalogue, problems)
    period = _period(entered.period, plan, problems)
    email = _email(entered.email, problems)
    if problems or bundle is None or plan is None or period is None:
        raise OrderRefusedError(tuple(problems))
    return Order(email=email, plan=plan, period=period, bundle=bundle, answers=answers)


def shown(value: str) -> str:
    """A value as it may be shown again: no control characters or lone surrogates, not endless."""
    return "".join(char for char in value[:_LONGEST_VALUE] if char.isprintable())


def _is_answer(name: str) -> bool:
    return name.startswith(ANSWER_PREFIX) and len(name) > len(ANSWER_PREFIX)


def _bundle(name: str, problems: list[Problem]) -> Bundle | None:
    if not name.strip():
        problems.append(Problem(field="bundle", code="unknown_bundle", message="Please choose an assistant."))
        return None
    try:
        return load_bundle(name)
    except InvalidInputError as error:
        problems.append(Problem(field="bundle", code=error.code, message=error.sentence()))
        return None


def _answers(bundle: Bundle, answers: Mapping[str, str], today: date, problems: list[Problem]) -> dict[str, str]:
    """Every question by itself, because a page shows each problem beside its field."""
    judged: dict[str, str] = {}
    for question in bundle.questions:
        raw = answers.get(question.key, "")
        try:
            judged |= _judge(bundle, question, raw, today)
        except InvalidInputError as error:
            message = error.sentence().removeprefix(f"{question.key}: ") if raw.strip() else _MISSING
            problems.append(Problem(field=ANSWER_PREFIX + question.key, code=error.code, message=message))
    return judged


def _refuse_unasked(bundle: Bundle, answers: Mapping[str, str], problems: list[Problem]) -> None:
    asked = [question.key for question in bundle.questions]
    for key in answers:
        if key not in asked:
            message = f"The bundle {bundle.name} does not ask for it. It asks for: {', '.join(asked) or 'nothing'}."
            problems.append(Problem(field=f"answers.{key[:40]!r}", code="invalid_answer", message=message))


def _judge(bundle: Bundle, question: Question, raw: str, today: date) -> dict[str, str]:
    alone = bundle.model_copy(update={"questions": (question,)})
    return validate_answers(alone, {question.key: raw}, today)


def _plan(key: str, catalogue: Catalogue, problems: list[Problem]) -> Plan | None:
    if not key.strip():
        problems.append(Problem(field="plan", code="unknown_plan", message="Please choose a plan."))
        return None
    try:
        return catalogue.plan(key)
    except InvalidInputError as error:
        problems.append(Problem(field="plan", code=error.code, message=error.sentence()))
        return None


def _period(value: str, plan: Plan | None, problems: list[Problem]) -> Period | None:
    allowed = tuple(plan.prices) if plan is not None else tuple(Period)
    for period in allowed:
        if period.value == value:
            return period
    message = f"{value[:20]!r} is no way to pay. Choose one of: {', '.join(allowed)}."
    problems.append(Problem(field="period", code="unknown_period", message=message))
    return None


def _email(raw: str, problems: list[Problem]) -> str:
    value = raw.strip()
    if not value:
        message = _MISSING
    elif len(value) > _LONGEST_EMAIL:
        message = f"It is too long for an e-mail address. Use at most {_LONGEST_EMAIL} characters."
    else:
        try:
            return validate_email(value, check_deliverability=False).normalized
        except EmailNotValidError:
            message = f"{value[:60]!r} is not an e-mail address. Write it like name@example.com."
    problems.append(Problem(field="email", code="invalid_email", message=message))
    return ""
