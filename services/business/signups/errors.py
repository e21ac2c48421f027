"""Errors of sign-up, each beside the field that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clawstack.errors import InvalidInputError, TemporaryError

#: What the form's fields for a bundle's questions begin with.
ANSWER_PREFIX: Final = "answer_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong with one field: what, why and the remedy in one sentence or two."""

    field: str
    """Name and id of the form's field."""
    code: str
    message: str

    @property
    def path(self) -> str:
        """The same field in the JSON API."""
        return self.field.replace(ANSWER_PREFIX, "answers.", 1)


class OrderRefusedError(InvalidInputError):
    """A sign-up with at least one field that cannot be used; names them all at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """`problems`: at least one, in the order of the form."""
        lines = " ".join(f"{problem.path}: {problem.message}" for problem in problems)
        super().__init__(lines, code=problems[0].code)
        self.problems = problems


class CheckoutUnavailableError(TemporaryError):
    """The payment page cannot be opened; the customer did nothing wrong and was charged nothing."""

    code = "checkout_unavailable"
