"""Marks that carry the kind of an error through a channel that passes only text on, such as Pulumi's engine."""

from __future__ import annotations

import re
from typing import Final

from clawstack.errors import ClawstackError, NeedsAttentionError, PermanentError, RequestError, TemporaryError

_MARK: Final = re.compile(r"\s*\[(temporary|permanent|needs_attention):([a-z][a-z0-9_]*)\]")


def mark(error: ClawstackError) -> str:
    """The error's sentence, ending in its kind and code: `The gateway ... [needs_attention:gateway_stopped]`."""
    if isinstance(error, TemporaryError):
        kind = "temporary"
    elif isinstance(error, NeedsAttentionError | RequestError):
        kind = "needs_attention"
    else:
        kind = "permanent"
    return f"{error.sentence()} [{kind}:{error.code}]"


def without_marks(text: str) -> str:
    """`text` as a person should read it."""
    return _MARK.sub("", text)


def marked_error(text: str) -> ClawstackError | None:
    """The error that the first mark in `text` speaks of, None when there is none."""
    found = _MARK.search(text)
    if found is None:
        return None
    message = without_marks(text).strip()
    match found[1]:
        case "temporary":
            return TemporaryError(message, code=found[2])
        case "needs_attention":
            return NeedsAttentionError(message, code=found[2])
        case _:
            return PermanentError(message, code=found[2])
