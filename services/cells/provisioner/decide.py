"""What to do next for one tenant: pure, so that every case is a line in a table test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from clawstack.vocabulary import Desired, Observed, OperationKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Everything that the decision depends on."""

    desired: Desired
    observed: Observed
    generation: int
    """Of what is wanted."""
    observed_generation: int
    """Of what was last brought about."""
    has_cell: bool
    """The platform gave the tenant a port or a stack: something may exist, whatever was observed."""
    restart_wanted: bool = False
    """The gateway runs under an older restart nonce than the one wanted."""
    substrate_changed: bool = False
    """The cell lives elsewhere than wanted."""
    backup_wanted: bool = False
    """Somebody asked for a backup since the last one that was asked for."""
    blocked_generation: int | None = None
    """The generation for which trying again is pointless until somebody acts."""
    retry_at: datetime | None = None
    """Not before this moment, after temporary failures."""


class Pause(StrEnum):
    """Why nothing is done now although something is left to do."""

    BLOCKED = "blocked"
    """Somebody must act first."""
    BACKING_OFF = "backing_off"
    """Too early after a failure."""


class Rest(StrEnum):
    """Nothing is left to do."""

    CONVERGED = "converged"
    GONE = "gone"
    """Wanted absent and nothing was ever made: the tenant can be closed without touching a stack."""


Decision = OperationKind | Pause | Rest


def decide(situation: Situation, *, now: datetime) -> Decision:
    """The one operation that brings the cell nearer to what is wanted, or why there is none."""
    needed = needed_operation(situation)
    if isinstance(needed, Rest):
        return needed
    if situation.blocked_generation == situation.generation:
        return Pause.BLOCKED
    if situation.retry_at is not None and situation.retry_at > now:
        return Pause.BACKING_OFF
    return needed


def needed_operation(situation: Situation) -> OperationKind | Rest:
    """As `decide`, regardless of failures."""
    if situation.desired is Desired.ABSENT:
        return OperationKind.DESTROY if situation.has_cell else Rest.GONE
    if situation.substrate_changed and situation.observed is not Observed.ABSENT:
        return OperationKind.MOVE  # before anything else: every other operation works where the cell is wanted
    match situation.desired:
        case Desired.RUNNING:
            return _towards_running(situation)
        case Desired.SUSPENDED:
            return _towards_suspended(situation)


def _towards_running(situation: Situation) -> OperationKind | Rest:
    match situation.observed:
        case Observed.ABSENT:
            return OperationKind.PROVISION
        case Observed.SUSPENDED:
            return OperationKind.RESUME
        case Observed.BROKEN | Observed.UNKNOWN:
            return OperationKind.UPDATE
        case Observed.RUNNING:
            return _changes(situation)


def _towards_suspended(situation: Situation) -> OperationKind | Rest:
    match situation.observed:
        case Observed.ABSENT:
            # A tenant that was never built needs no cell to stand still; one half built must be brought to a known end.
            return OperationKind.SUSPEND if situation.has_cell else Rest.CONVERGED
        case Observed.RUNNING | Observed.BROKEN | Observed.UNKNOWN:
            return OperationKind.SUSPEND
        case Observed.SUSPENDED:
            return _changes(situation)


def _changes(situation: Situation) -> OperationKind | Rest:
    if situation.backup_wanted:
        return OperationKind.BACKUP  # of what is there before it is changed
    if situation.generation == situation.observed_generation:
        return Rest.CONVERGED
    if situation.restart_wanted and situation.desired is Desired.RUNNING:
        return OperationKind.RESTART
    return OperationKind.UPDATE
