"""Trouble on demand: the next requests or actions that match go wrong in one chosen way."""

import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sandbox.hcloud.errors import ApiError

Json = dict[str, Any]


class Kind(StrEnum):
    """What can go wrong. The first three concern actions, the others requests."""

    ACTION_ERROR = "action_error"  # the action ends with `code` and `message`
    ACTION_SLOW = "action_slow"  # it takes `seconds`
    ACTION_STUCK = "action_stuck"  # it never ends
    ERROR = "error"  # the request is refused with `code`, `message`, `status`
    SLOW = "slow"  # the answer comes after `seconds`
    RESET = "reset"  # the connection is cut before the request has an effect
    LOST_ANSWER = "lost_answer"  # it is cut after the effect
    GARBAGE = "garbage"  # an answer 502 that is no JSON


ACTIONS: Final = frozenset({Kind.ACTION_ERROR, Kind.ACTION_SLOW, Kind.ACTION_STUCK})


@dataclass(kw_only=True, slots=True)
class Fault:
    """One order, for `times` matches after the first `skip` ones.

    `match` is a regular expression over `METHOD /path` for requests (`POST /servers$`), over the command for actions
    (`create_server`); empty matches everything.
    """

    kind: Kind
    times: int = 1
    skip: int = 0
    match: str = ""
    seconds: float = 5.0
    code: str = "server_error"
    message: str = "ordered by a test"
    status: int = 0

    def error(self) -> ApiError:
        """Return the refusal."""
        return ApiError(self.code, self.message, status=self.status)


class Faults:
    """Orders in the sequence they came; each is used up by its matches."""

    def __init__(self) -> None:
        self.orders: deque[Fault] = deque()

    def add(self, values: Json) -> Fault:
        """Take an order. Raises ValueError that names what is wrong."""
        if unknown := set(values) - set(Fault.__dataclass_fields__):
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(Fault.__dataclass_fields__)}.")
        if str(values.get("kind")) not in set(Kind):
            raise ValueError(f"kind must be one of {', '.join(Kind)}, not {values.get('kind')!r}.")
        fault = Fault(**{**values, "kind": Kind(values["kind"])})
        re.compile(fault.match)
        self.orders.append(fault)
        return fault

    def take_action(self, command: str) -> Fault | None:
        """Return the order for an action that begins, and count it."""
        return self._take(command, for_actions=True)

    def take_request(self, method_and_path: str) -> Fault | None:
        """Return the order for a request that arrives, and count it."""
        return self._take(method_and_path, for_actions=False)

    def _take(self, text: str, *, for_actions: bool) -> Fault | None:
        for fault in self.orders:
            if (fault.kind in ACTIONS) == for_actions and re.search(fault.match, text):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.orders.remove(fault)
                return fault
        return None
