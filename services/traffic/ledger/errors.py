"""Why the ledger sets nothing aside. What the one who asked is told stands with whoever serves the request."""

from __future__ import annotations

from clawstack.errors import LimitExceededError


class AllowanceUsedUpError(LimitExceededError):
    """The plan's tokens or budget of `period` are used up: only the next month or another plan helps."""

    code = "allowance_used_up"

    def __init__(self, period: str) -> None:
        super().__init__(f"The allowance of {period} is used up.")
        self.period = period


class AllowanceSetAsideError(LimitExceededError):
    """What is left of the period is set aside for requests that are still running."""

    code = "allowance_set_aside"

    def __init__(self, period: str) -> None:
        super().__init__(f"What is left of the allowance of {period} is set aside for requests under way.")
        self.period = period
