"""Hetzner's refusals as errors of this project: which kind, and the API's own words in full.

What a code means, and its remedy, is `clawstack.hetzner_refusals`: the official plugin's words are read by the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clawstack.errors import ClawstackError, NeedsAttentionError, PermanentError, TemporaryError
from clawstack.hetzner_refusals import BUSY, NOT_FOUND, RATE_LIMITED, named_code, refused

__all__ = ["BUSY", "NOT_FOUND", "NO_SUBNET", "RATE_LIMITED", "Refusal", "error_of", "failed_action", "refusal_of"]

NO_SUBNET: Final = "no_subnet_available"
"""Also what a subnet says that is just being made."""
_REFUSED: Final = 400
_SERVERS_FAULT: Final = 500


@dataclass(frozen=True, kw_only=True)
class Refusal(Exception):  # noqa: N818 - reads as what it is
    """The API said no. Never leaves this package: `error_of` makes the project's error of it."""

    status: int
    code: str
    message: str
    fields: tuple[str, ...] = ()
    reset_in: float | None = None
    """Seconds until the rate limit is whole again."""


def refusal_of(status: int, answer: Mapping[str, Any], *, reset_in: float | None = None) -> Refusal:
    """The refusal that an answer speaks of. Answers that are not the API's own (a proxy's page) have no code."""
    error = answer.get("error") or {}
    code = str(error.get("code") or _code_of_status(status))
    listed = (error.get("details") or {}).get("fields") or []
    fields = tuple(f"{field.get('name', '?')}: {', '.join(map(str, field.get('messages') or []))}" for field in listed)
    message = str(error.get("message") or f"HTTP {status}")
    return Refusal(status=status, code=code, message=message, fields=fields, reset_in=reset_in)


def error_of(refusal: Refusal, what: str) -> ClawstackError:
    """What a person should read: `what` ("create server cell-anna") was refused, why, and the remedy."""
    details = "; ".join(field for field in refusal.fields if field not in refusal.message)
    sentence = f"Hetzner refused to {what} ({refusal.code}): {refusal.message.rstrip('.')}"
    sentence += f" [{details}]." if details else "."
    code = named_code(refusal.code)
    if refusal.code == RATE_LIMITED:
        after = refusal.reset_in if refusal.reset_in is not None else 60.0
        return TemporaryError(
            f"{sentence} The rate limit is whole again in {after:.0f} s.",
            retry_after=after,
            code=code,
            remedy="Try again then; a longer pollInterval and fewer tools on the same project use fewer requests.",
        )
    known = refused(refusal.code, sentence)
    if known is not None:
        return known
    if _REFUSED <= refusal.status < _SERVERS_FAULT:
        # The present state at Hetzner forbids it: somebody must look, nobody need be woken.
        return NeedsAttentionError(sentence, code=code)
    return PermanentError(sentence, code=code)


def failed_action(action: Mapping[str, Any]) -> ClawstackError:
    """The error of an action that ended badly. Doing it again often works, so most are temporary."""
    error = action.get("error") or {}
    told = str(error.get("code") or "action_failed")
    places = ", ".join(f"{place.get('type')} {place.get('id')}" for place in action.get("resources") or [])
    message = str(error.get("message") or "no reason given").rstrip(".")
    refusal = Refusal(status=200, code=told, message=f"{message} (action {action.get('id')} on {places})")
    known = error_of(refusal, f"finish {action.get('command')}")
    return TemporaryError(known.message, code=named_code(told)) if isinstance(known, PermanentError) else known


def _code_of_status(status: int) -> str:
    known = {401: "unauthorized", 403: "forbidden", 404: NOT_FOUND, 409: "conflict", 423: "locked", 429: RATE_LIMITED}
    return known.get(status) or ("unavailable" if status >= _SERVERS_FAULT else f"http_{status}")
