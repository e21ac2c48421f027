"""Trouble on demand: the next requests or actions that match go wrong in one chosen way."""

from enum import StrEnum
from typing import Final

from typing_extensions import override

from sandbox.frame.faults import Orders, PatternOrder
from sandbox.hcloud.model.errors import ApiError


class FaultKind(StrEnum):
    """What can go wrong. The first three concern actions, the others requests."""

    ACTION_ERROR = "action_error"  # the action ends with `code` and `message`
    ACTION_SLOW = "action_slow"  # it takes `seconds`
    ACTION_STUCK = "action_stuck"  # it never ends
    ERROR = "error"  # the request is refused with `code`, `message`, `status`
    SLOW = "slow"  # the answer comes after `seconds`
    RESET = "reset"  # the connection is cut before the request has an effect
    LOST_ANSWER = "lost_answer"  # it is cut after the effect
    GARBAGE = "garbage"  # an answer 502 that is no JSON


ACTIONS: Final = frozenset({FaultKind.ACTION_ERROR, FaultKind.ACTION_SLOW, FaultKind.ACTION_STUCK})


class Fault(PatternOrder):
    """One order, for `times` matches after the first `skip` ones.

    `match` is a regular expression over `METHOD /path` for requests (`POST /servers$`), over the command for actions
    (`create_server`); empty matches everything.
    """

    kind: FaultKind
    skip: int = 0
    seconds: float = 5.0
    code: str = "server_error"
    message: str = "ordered by a test"
    status: int = 0

    @override
    def lets_pass(self) -> bool:
        passes = self.skip > 0
        self.skip -= int(passes)
        return passes

    def error(self) -> ApiError:
        """Return the refusal."""
        return ApiError(self.code, self.message, status=self.status)


class Faults(Orders[Fault]):
    """Orders in the sequence they came; each is used up by its matches."""

    def __init__(self) -> None:
        super().__init__(Fault)

    def take_action(self, command: str) -> Fault | None:
        """Return the order for an action that begins, and count it."""
        return self.first(lambda fault: fault.kind in ACTIONS and fault.matches(command))

    def take_request(self, method_and_path: str) -> Fault | None:
        """Return the order for a request that arrives, and count it."""
        return self.first(lambda fault: fault.kind not in ACTIONS and fault.matches(method_and_path))
