"""Text that PostgreSQL cannot hold: NUL, which its strings end with, and halves of surrogate pairs, which are no UTF-8.

Judged where values enter a statement, so that whatever border they came through (path, query, header, body, a cell's call,
somebody's log) the answer is a sentence about the input and not a fault of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from clawstack.errors import InvalidInputError


@contextmanager
def storable_text() -> Iterator[None]:
    """Statements on either driver; raises InvalidInputError for such text, whose words are never repeated."""
    try:
        yield
    except (psycopg.DataError, DBAPIError, UnicodeEncodeError) as error:
        if _is_about_text(error.orig if isinstance(error, DBAPIError) else error):
            raise unstorable_text() from None
        raise


def unstorable_text() -> InvalidInputError:
    """What the sender of such text is told."""
    return InvalidInputError(
        "A text holds a character that cannot be stored: NUL, or half of a surrogate pair.",
        code="unstorable_text",
        remedy="Send it without that character.",
    )


def _is_about_text(error: BaseException | None) -> bool:
    match error:
        case UnicodeEncodeError():
            return error.reason == "surrogates not allowed"
        case psycopg.errors.UntranslatableCharacter() | psycopg.errors.CharacterNotInRepertoire():
            return True  # the server's word, where text came inside of JSON
        case psycopg.errors.InvalidTextRepresentation():
            return "surrogate" in (error.diag.message_detail or "")  # an escape in JSON
        case psycopg.DataError():
            return error.sqlstate is None and "NUL" in str(error)  # psycopg's own, before anything was sent
        case _:
            return False
