"""Whether a gateway still answers: a process that is there and says nothing is as good as gone, and nobody else ends it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST_ANSWER_SECONDS: Final = 600.0
"""For a gateway that never answered: 6 to 15 s are usual, a migration of its state on a busy machine took minutes."""
_EVERY: Final = 10.0
_ANSWER_SECONDS: Final = 2.0
"""The launcher watches memory and disk in between, so one question must not keep it long."""


@dataclass(kw_only=True)
class SilenceWatch:
    """Asks now and then; any answer at all shows that the event loop turns."""

    port: int
    seconds: float
    """Silence after which a gateway that once answered is given up."""
    first_answer: float = FIRST_ANSWER_SECONDS
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._since = self.clock()
        self._answered = False
        self._due = self._since

    def look(self) -> str | None:
        """Why the gateway must go, None while it need not. Asks when it is time to, for two seconds at most."""
        now = self.clock()
        if now < self._due:
            return None
        self._due = now + min(_EVERY, self.seconds / 4)
        if _answers(self.port):
            self._since, self._answered = now, True
            return None
        allowed = self.seconds if self._answered else self.first_answer
        if now - self._since < allowed:
            return None
        return f"it did not answer on /healthz for {allowed:.0f} s"


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
