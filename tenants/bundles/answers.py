"""Judges what a customer answered at sign-up, and makes text harmless before it meets a model.

Answers end in the assistant's prompt. They cannot be trusted to be a name just because the field is called so: they
are cut to one short line without anything that marks up, addresses the model or hides (the reason for each step is
beside it). What remains can still say something silly; it can no longer look like an instruction of the platform.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Final

from email_validator import EmailNotValidError, validate_email

from clawstack.errors import InvalidInputError
from tenants.bundles.model import Bundle, Question, QuestionKind

#: Markdown, templates, shell and role markers ("system:", "<|im_start|>"): nothing a name needs.
_MARKUP: Final = re.compile(r"[<>{}\[\]|`*_#~\\$^=:;\"@/()]+")
_MAX_RAW: Final = 1000


def validate_answers(bundle: Bundle, answers: Mapping[str, str], today: date) -> dict[str, str]:
    """The answers in the form that is stored; raises InvalidInputError that names field, value and remedy.

    Unknown fields are refused, optional ones may be absent or empty. Applying it to its own result changes nothing.
    """
    known = {question.key: question for question in bundle.questions}
    for key in answers:
        if key not in known:
            allowed = ", ".join(known) or "none"
            raise _refusal(key, answers[key], f"The bundle {bundle.title} does not ask for it.", f"Fields: {allowed}.")
    judged = {key: _judge(question, answers.get(key, ""), today) for key, question in known.items()}
    return {key: value for key, value in judged.items() if value}


def plain(text: str, *, limit: int) -> str:
    """One line of at most `limit` characters, without control, invisible, direction and markup characters."""
    composed = unicodedata.normalize("NFKC", text[: limit * 20])  # folds full-width look-alikes of markup
    # C*: control, format (zero width, direction), surrogates, private use. Z*: line and paragraph separators.
    spaced = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in composed)
    words = _MARKUP.sub(" ", spaced).split()
    return " ".join(words)[:limit].strip(" -.,!")


def _judge(question: Question, raw: str, today: date) -> str:
    value = raw.strip()
    if not value:
        if question.required:
            raise _refusal(question.key, raw, f"{question.label} is missing.", question.help or "Please fill it in.")
        return ""
    if len(raw) > _MAX_RAW:
        raise _refusal(question.key, raw, "It is far too long.", f"Use at most {question.max_length} characters.")
    match question.kind:
        case QuestionKind.TEXT:
            return _text(question, value)
        case QuestionKind.DATE:
            return _date(question, value, today)
        case QuestionKind.EMAIL:
            return _email(question, value)
        case QuestionKind.CHOICE:
            return _choice(question, value)


def _text(question: Question, value: str) -> str:
    if len(value) > question.max_length:
        raise _refusal(question.key, value, "It is too long.", f"Use at most {question.max_length} characters.")
    cleaned = plain(value, limit=question.max_length)
    if not any(char.isalnum() for char in cleaned):
        raise _refusal(question.key, value, "It has no letters or digits.", "Write it in letters.")
    return cleaned


def _date(question: Question, value: str, today: date) -> str:
    try:
        given = date.fromisoformat(value)
    except ValueError:
        raise _refusal(
            question.key, value, "It is not a date.", "Write year-month-day, for example 2025-09-14."
        ) from None
    if given > today:
        raise _refusal(question.key, value, "It lies in the future.", f"Give a date up to {today.isoformat()}.")
    if given.year < today.year - question.years_back:
        raise _refusal(question.key, value, "It is too long ago.", f"Give a date within {question.years_back} years.")
    return given.isoformat()


def _email(question: Question, value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise _refusal(question.key, value, "It is not an e-mail address.", "Write it like name@example.com.") from None


def _choice(question: Question, value: str) -> str:
    allowed = [choice.value for choice in question.choices]
    if value not in allowed:
        raise _refusal(question.key, value, "It is not one of the choices.", f"Choose one of: {', '.join(allowed)}.")
    return value


def _refusal(key: str, value: str, reason: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(f"{key}: {value[:40]!r} cannot be used. {reason}", code="invalid_answer", remedy=remedy)
