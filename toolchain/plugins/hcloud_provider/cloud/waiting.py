"""Waits for actions. All calls in flight share one look at the API, so that many servers cost as few requests as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from clawstack.errors import TemporaryError
from toolchain.plugins.hcloud_provider.cloud.api import Api, Object
from toolchain.plugins.hcloud_provider.cloud.refusals import failed_action

PollFunction = Literal["constant", "exponential"]
_LONGEST_PAUSE: Final = 5.0
_LONGEST_ACTION: Final = 30 * 60.0
"""Seconds; a snapshot of a large disk takes minutes."""
_AT_ONCE: Final = 25
"""Ids in one look; keeps the address short."""


@dataclass(frozen=True, kw_only=True)
class Polling:
    """How often is looked; as the official provider's pollInterval and pollFunction."""

    interval: float = 0.5
    function: PollFunction = "exponential"

    def pause(self, tries: int) -> float:
        """Seconds before the next look, after so many looks."""
        if self.function == "constant":
            return self.interval
        return max(self.interval, min(self.interval * 2.0 ** min(tries, 16), _LONGEST_PAUSE))


class Watch:
    """Looks at running actions for everybody who waits for one. Safe to use from many threads."""

    def __init__(self, api: Api, polling: Polling) -> None:
        self._api = api
        self._polling = polling
        self._lock = threading.Lock()
        self._known: dict[int, Object] = {}
        self._looks = 0

    def settle(self, actions: Iterable[Object | None], tell: Callable[[str], None]) -> None:
        """Return when all have ended well; raises the error of the first that did not, once all have ended."""
        waiting: dict[int, Object] = {action["id"]: action for action in actions if action}
        with self._lock:
            self._known.update(waiting)
            seen = self._looks
        started, tries = time.monotonic(), 0
        try:
            while running := [action for action in waiting.values() if action["status"] == "running"]:
                self._rest(running, tries, time.monotonic() - started, tell)
                tries += 1
                seen = self._look(waiting, seen)
        finally:
            with self._lock:
                for number in waiting:
                    self._known.pop(number, None)
        failed = [action for action in waiting.values() if action["status"] == "error"]
        if failed:
            raise failed_action(failed[0])

    def _rest(self, running: list[Object], tries: int, waited: float, tell: Callable[[str], None]) -> None:
        progress = ", ".join(map(_progress, running))
        tell(progress)
        if waited > _LONGEST_ACTION:
            raise TemporaryError(
                f"Hetzner has not finished {progress} in {_LONGEST_ACTION / 60:.0f} minutes.",
                code="hetzner_action_slow",
            )
        self._api.pause(self._polling.pause(tries), f"for Hetzner to finish {progress}")

    def _look(self, waiting: dict[int, Object], seen: int) -> int:
        """Bring `waiting` up to date: by what somebody else has seen since look number `seen`, else by a new look."""
        with self._lock:
            if self._looks == seen:
                self._ask(list(waiting))
            waiting |= {number: self._known.get(number, action) for number, action in waiting.items()}
            return self._looks

    def _ask(self, mine: list[int]) -> None:
        others = [
            number for number, action in self._known.items() if action["status"] == "running" and number not in mine
        ]
        numbers = (mine + others)[: max(_AT_ONCE, len(mine))]
        answer = self._api.get("/actions", "look at actions", id=numbers, per_page=_AT_ONCE) or {}
        told = {action["id"]: action for action in answer.get("actions") or []}
        for number in mine:
            if number not in told:
                single = self._api.get(f"/actions/{number}", "look at an action") or {}
                told |= {number: single["action"]} if single else {}
        self._known |= {number: action for number, action in told.items() if number in self._known}
        self._looks += 1


def _progress(action: Object) -> str:
    command = str(action.get("command") or "an action").replace("_", " ")
    return f"{command} ({action.get('progress') or 0} %)"
