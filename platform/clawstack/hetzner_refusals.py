"""What Hetzner's refusals mean, by the codes of the API reference ("Errors"): one table for every way they reach us.

The offline plugin and the drivers have the code from the API's answer; the official plugin only prints it,
`(uniqueness_error, 5f1c...)` behind the API's sentence. The code of the error here is `hetzner_` and Hetzner's code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clawstack.errors import (
    ClawstackError,
    ConflictError,
    InvalidInputError,
    NeedsAttentionError,
    NotFoundError,
    TemporaryError,
)

RATE_LIMITED: Final = "rate_limit_exceeded"
NOT_FOUND: Final = "not_found"

_BUSY_RETRY: Final = 30.0
_RATE_RETRY: Final = 60.0
_ROOM_RETRY: Final = 900.0
"""Hetzner has no room just now. It comes back by the hour, not by the second; a person may choose another place."""


@dataclass(frozen=True, kw_only=True)
class _Meaning:
    """What one code is. `retry`: seconds, for what passes by itself."""

    kind: type[ClawstackError]
    remedy: str | None = None
    retry: float | None = None


def _person(remedy: str) -> _Meaning:
    return _Meaning(kind=NeedsAttentionError, remedy=remedy)


def _no_room(remedy: str) -> _Meaning:
    return _Meaning(kind=TemporaryError, remedy=remedy, retry=_ROOM_RETRY)


#: Somebody else works on the object, or Hetzner is busy: the same call succeeds later.
BUSY: Final = frozenset({
    "conflict", "locked", "unavailable", "robot_unavailable", "maintenance", "server_error", "service_error", "timeout",
    "bad_gateway", "too_many_requests",
})  # fmt: skip
_WRONG_INPUT: Final = ("invalid_input", "json_error", "unsupported_error", "invalid_server_type")
_PROTECTED: Final = "Set deleteProtection (rebuildProtection, changeProtection) to false and run the update first."
_MEANINGS: Final[Mapping[str, _Meaning]] = {
    **dict.fromkeys(BUSY, _Meaning(kind=TemporaryError, retry=_BUSY_RETRY)),
    **dict.fromkeys(_WRONG_INPUT, _Meaning(kind=InvalidInputError)),
    RATE_LIMITED: _Meaning(kind=TemporaryError, retry=_RATE_RETRY),
    NOT_FOUND: _Meaning(kind=NotFoundError),
    "protected": _Meaning(kind=ConflictError, remedy=_PROTECTED),
    "uniqueness_error": _Meaning(kind=ConflictError, remedy="Choose another name, or import the object that is there."),
    "resource_unavailable": _no_room("Choose another server type or location, or try again when Hetzner has room."),
    "placement_error": _no_room(
        "Use another placement group (at most 10 servers each) or location, or try again later."
    ),
    "no_space_left_in_location": _no_room("Choose another location, or try again when Hetzner has room."),
    "deprecated_api_endpoint": _person("Use what has taken its place: Hetzner has removed this."),
    "resource_limit_exceeded": _person(
        "Ask Hetzner for a higher limit of this project, or remove what is no longer needed."
    ),
    "ip_not_available": _person("Choose another address, or free this one first: two servers cannot have it at once."),
    "limit_exceeded_error": _person("Spread what is attached over more servers; one takes at most 16 volumes."),
    "unauthorized": _person("Give a valid API token of the project (CLAWSTACK_HCLOUD_TOKEN, or hcloud:token)."),
    "token_readonly": _person("Give an API token that may read and write."),
    "forbidden": _person("Give an API token that may do this, or lift what forbids it in the project."),
}
#: Codes of this project's errors for "not here, not now": another place may have room.
NO_ROOM: Final = frozenset({
    "hetzner_resource_unavailable", "hetzner_placement_error", "hetzner_no_space_left_in_location",
})  # fmt: skip
NO_VOLUMES: Final = "hetzner_no_space_left_in_location"
"""That one speaks of volumes: no type of server helps against it."""
#: As the API's Go client prints a refusal: "server name is already used (uniqueness_error, 5f1c0a)".
_PRINTED: Final = re.compile(rf"\((?P<code>{'|'.join(_MEANINGS)})(?:, ?[\w-]+)?\)")


def refused(code: str, sentence: str) -> ClawstackError | None:
    """The error that a refusal with this code is, None for a code that the reference does not know.

    RequestErrors among them are the present state's or the input's fault: somebody must act, nobody need be woken.
    """
    known = _MEANINGS.get(code)
    if known is None:
        return None
    if known.retry is not None:
        return TemporaryError(sentence, code=named_code(code), retry_after=known.retry, remedy=known.remedy)
    return known.kind(sentence, code=named_code(code), remedy=known.remedy)


def retry_of(code: str) -> float | None:
    """Seconds to wait after a temporary error with this code of this project, None for one that is not Hetzner's."""
    known = _MEANINGS.get(code.removeprefix("hetzner_")) if code.startswith("hetzner_") else None
    return known.retry if known else None


def printed_code(text: str) -> str | None:
    """Hetzner's code in what the API's Go client, and so the official plugin, prints; None where there is none."""
    found = _PRINTED.search(text)
    return found["code"] if found else None


def named_code(code: str) -> str:
    """Hetzner's code as a code of this project's errors."""
    return "hetzner_" + (re.sub(r"[^a-z0-9]+", "_", code.lower()).strip("_") or "error")
