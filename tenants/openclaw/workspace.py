"""Persona files of a cell's workspace: the bundle's templates filled with the customer's answers, by pure functions.

A line of a template that mentions an answer which was not given is left out. Answers are made harmless again here:
what stands in the database may be older than today's rules.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from tenants.bundles.answers import plain
from tenants.bundles.model import Bundle, Question, QuestionKind
from tenants.spec import CellSpec

#: OpenClaw reads no more of USER.md (`gateway/config-agents/workspace-and-bootstrap.md`).
USER_LIMIT: Final = 4000
_PLACEHOLDER: Final = re.compile(r"\{\{([a-z0-9_]+)\}\}")
_MONTHS_PER_YEAR: Final = 12
_MONTHS_UNTIL_YEARS: Final = 36
"""Parents count in months until about the third birthday."""


def build_workspace(spec: CellSpec, bundle: Bundle, today: date) -> dict[str, str]:
    """File name to content for every persona file, as of `today` (ages move on; nothing else depends on it)."""
    values = _values(spec, bundle, today)
    filled = {name: _fill(template, values) for name, template in bundle.files.items()}
    return {name: _cut(text) if name == "USER.md" else text for name, text in filled.items()}


def age_in_words(birthday: date, today: date) -> str:
    """`14 months`, later `4 years`."""
    months = (today.year - birthday.year) * _MONTHS_PER_YEAR + today.month - birthday.month
    months = max(0, months - (today.day < birthday.day))
    if months < _MONTHS_UNTIL_YEARS:
        return f"{months} month{'' if months == 1 else 's'}"
    return f"{months // _MONTHS_PER_YEAR} years"


def _values(spec: CellSpec, bundle: Bundle, today: date) -> dict[str, str]:
    values: dict[str, str] = {}
    for question in bundle.questions:
        answer = spec.answers.get(question.key, "")
        if answer:
            values |= _value(question, answer, today)
    return values


def _value(question: Question, answer: str, today: date) -> dict[str, str]:
    if question.kind is not QuestionKind.DATE:
        limit = question.max_length
        cleaned = answer if question.kind is QuestionKind.EMAIL and _is_plain(answer) else plain(answer, limit=limit)
        return {question.key: cleaned} if cleaned else {}
    try:
        day = date.fromisoformat(answer)
    except ValueError:
        return {}
    return {
        question.key: day.isoformat(),
        f"{question.key}_words": f"{day.day} {day:%B} {day.year}",
        f"{question.key}_age": age_in_words(day, today),
    }


def _is_plain(email: str) -> bool:
    return re.fullmatch(r"[\w.+-]{1,64}@[\w.-]{1,190}", email, re.ASCII) is not None


def _fill(template: str, values: dict[str, str]) -> str:
    lines = [line for line in template.splitlines() if all(name in values for name in _PLACEHOLDER.findall(line))]
    return "\n".join(_PLACEHOLDER.sub(lambda match: values[match[1]], line) for line in lines) + "\n"


def _cut(text: str) -> str:
    if len(text) <= USER_LIMIT:
        return text
    return text[: USER_LIMIT - 1].rsplit("\n", 1)[0] + "\n"
