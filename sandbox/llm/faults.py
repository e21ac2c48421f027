"""Trouble on demand: the next requests that match fail in one chosen way."""

from enum import StrEnum

from pydantic import Field

from sandbox.frame.faults import Order, Orders
from sandbox.frame.strict import Strict


class FaultKind(StrEnum):
    """What can go wrong."""

    STATUS = "status"  # answer with `status`; 429 and 503 carry Retry-After when `retry_after` is set
    STALL_FIRST = "stall_first"  # silence for `seconds` before the first byte
    STALL_MID = "stall_mid"  # silence for `seconds` in the middle of the answer
    BREAK_FIRST = "break_first"  # the connection is reset before the first byte
    BREAK_MID = "break_mid"  # the connection is reset in the middle of the answer
    MALFORMED = "malformed"  # JSON that is cut off
    NO_USAGE = "no_usage"  # the answer does not say what it used
    WRONG_USAGE = "wrong_usage"  # it says `usage` instead of the truth
    EMPTY = "empty"  # an answer without text


class WrongUsage(Strict):
    """What a lying answer says."""

    input: int = 0
    output: int = 0
    cached: int = 0


class Fault(Order):
    """One order for trouble, for `times` requests of `model` (any when empty) whose body contains `containing`."""

    kind: FaultKind
    times: int = Field(default=1, ge=1)
    model: str = ""
    containing: str = ""
    status: int = 500
    message: str = "The server had an error while processing your request."
    code: str = "server_error"
    retry_after: float | None = None
    seconds: float = 30.0
    usage: WrongUsage = WrongUsage()


class Faults(Orders[Fault]):
    """Orders in the sequence they came; each is used up by its requests."""

    def __init__(self) -> None:
        super().__init__(Fault)

    def take(self, *, model: str, body: str) -> Fault | None:
        """Return the first order that means this request, and count it."""
        return self.first(lambda fault: fault.model in {"", model} and fault.containing in body)
