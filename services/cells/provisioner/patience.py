"""Which failures may pass although whoever reports them asks for somebody to act: pure.

Not here: failures that say themselves that they pass (`clawstack.errors.TemporaryError`), and when to tell people of those.
"""

from __future__ import annotations

from typing import Final

from clawstack.errors import ClawstackError, TemporaryError
from services.kit.backoff import Backoff

#: OpenClaw's exit code 78 on every substrate. Most often somebody must act, but a gateway whose event loop gets no processor
#: loses the lease on its own state and ends with it as well: seen under load, well again at the next start.
GATEWAY_REFUSED: Final = "gateway_refused_config"
#: The cell's port was taken by another account while its gateway was down; the next try has another port.
PORT_IN_USE: Final = "port_in_use"
_TRIES: Final = 3
"""Starts after the first before somebody is called: with these pauses most of a minute, and each start takes ten seconds."""
_PAUSES: Final = Backoff(first=5.0, longest=60.0)
#: What a gateway that is seen well again contradicts; a plan that the policy pack refuses, it does not.
_OF_THE_GATEWAY: Final = frozenset({GATEWAY_REFUSED, PORT_IN_USE, "gateway_crashes", "gateway_not_ready", "disk_full"})


def as_it_counts(error: ClawstackError, *, failures: int) -> ClawstackError:
    """The error as temporary while it may pass; `failures`: in a row, this one included."""
    if error.code == PORT_IN_USE:
        return _passing(error, pause=0.0)
    if error.code == GATEWAY_REFUSED and not isinstance(error, TemporaryError) and failures <= _TRIES:
        return _passing(error, pause=_PAUSES.seconds(failures))
    return error


def speaks_of_the_gateway(code: str | None) -> bool:
    """Whether a cell that was given up for this is worth another try as soon as its gateway is seen running."""
    return code in _OF_THE_GATEWAY


def _passing(error: ClawstackError, *, pause: float) -> TemporaryError:
    return TemporaryError(error.message, code=error.code, remedy=error.remedy, retry_after=pause)
