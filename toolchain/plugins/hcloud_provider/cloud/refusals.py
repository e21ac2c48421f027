"""Hetzner's refusals as errors of this project: which kind, and the API's own words in full.

Codes are those of the API reference ("Errors"); the code of the error here is `hetzner_` and Hetzner's code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clawstack.errors import (
    ClawstackError,
    ConflictError,
    InvalidInputError,
    NeedsAttentionError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)

RATE_LIMITED: Final = "rate_limit_exceeded"
NOT_FOUND: Final = "not_found"
NO_SUBNET: Final = "no_subnet_available"
"""Also what a subnet says that is just being made."""
_REFUSED: Final = 400
_SERVERS_FAULT: Final = 500

#: Somebody else works on the object, or Hetzner is busy: the same call succeeds later.
BUSY: Final = frozenset({
    "conflict", "locked", "unavailable", "robot_unavailable", "maintenance", "server_error", "service_error", "timeout",
    "bad_gateway", "too_many_requests",
})  # fmt: skip

_PERSON: Final[Mapping[str, str]] = {
    "resource_limit_exceeded": "Ask Hetzner for a higher limit of this project, or remove what is no longer needed.",
    "resource_unavailable": "Choose another server type or location, or try again when Hetzner has room.",
    "placement_error": "Use another placement group (at most 10 servers each) or location, or try again later.",
    "no_space_left_in_location": "Choose another location, or try again when Hetzner has room.",
    "ip_not_available": "Choose another address, or free this one first: two servers cannot have it at once.",
    "limit_exceeded_error": "Spread what is attached over more servers; one takes at most 16 volumes.",
    "unauthorized": "Give a valid API token of the project (hcloud:token, or HCLOUD_TOKEN).",
    "token_readonly": "Give an API token that may read and write.",
    "forbidden": "Give an API token that may do this, or lift what forbids it in the project.",
}
_PROTECTED: Final = "Set deleteProtection (rebuildProtection, changeProtection) to false and run the update first."


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
    code = _code(refusal.code)
    if refusal.code == RATE_LIMITED:
        after = refusal.reset_in if refusal.reset_in is not None else 60.0
        return TemporaryError(
            f"{sentence} The rate limit is whole again in {after:.0f} s.",
            retry_after=after,
            code=code,
            remedy="Try again then; a longer pollInterval and fewer tools on the same project use fewer requests.",
        )
    if refusal.code in BUSY:
        return TemporaryError(sentence, retry_after=30.0, code=code)
    return _lasting(refusal, sentence, code)


def _lasting(refusal: Refusal, sentence: str, code: str) -> ClawstackError:
    match refusal.code:
        case "not_found":
            return NotFoundError(sentence, code=code)
        case "protected":
            return ConflictError(sentence, code=code, remedy=_PROTECTED)
        case "uniqueness_error":
            remedy = "Choose another name, or import the object that is there."
            return ConflictError(sentence, code=code, remedy=remedy)
        case "invalid_input" | "json_error" | "unsupported_error" | "invalid_server_type":
            return InvalidInputError(sentence, code=code)
        case person if person in _PERSON or _REFUSED <= refusal.status < _SERVERS_FAULT:
            # The present state at Hetzner forbids it: somebody must look, nobody need be woken.
            return NeedsAttentionError(sentence, code=code, remedy=_PERSON.get(person))
        case _:
            return PermanentError(sentence, code=code)


def failed_action(action: Mapping[str, Any]) -> ClawstackError:
    """The error of an action that ended badly. Doing it again often works, so most are temporary."""
    error = action.get("error") or {}
    told = str(error.get("code") or "action_failed")
    places = ", ".join(f"{place.get('type')} {place.get('id')}" for place in action.get("resources") or [])
    message = str(error.get("message") or "no reason given").rstrip(".")
    refusal = Refusal(status=200, code=told, message=f"{message} (action {action.get('id')} on {places})")
    known = error_of(refusal, f"finish {action.get('command')}")
    return TemporaryError(known.message, code=_code(told)) if isinstance(known, PermanentError) else known


def _code(code: str) -> str:
    return "hetzner_" + (re.sub(r"[^a-z0-9]+", "_", code.lower()).strip("_") or "error")


def _code_of_status(status: int) -> str:
    known = {401: "unauthorized", 403: "forbidden", 404: NOT_FOUND, 409: "conflict", 423: "locked", 429: RATE_LIMITED}
    return known.get(status) or ("unavailable" if status >= _SERVERS_FAULT else f"http_{status}")
