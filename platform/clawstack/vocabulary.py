"""Closed vocabularies of tenants, cells and operations, once for all floors. The values are stored and appear in the
API: never change one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Desired(StrEnum):
    """What billing and the customer want of a tenant, from a payment to the builder of its cell."""

    RUNNING = "running"
    SUSPENDED = "suspended"
    ABSENT = "absent"


class Observed(StrEnum):
    """What was last seen of the cell itself; not to be mistaken for `TenantState`, which is what people are shown."""

    ABSENT = "absent"
    """No operation has ever completed, or the stack was destroyed."""
    RUNNING = "running"
    SUSPENDED = "suspended"
    BROKEN = "broken"
    """The stack says running, the cell is not."""
    UNKNOWN = "unknown"
    """The cell could not be looked at."""


class OperationKind(StrEnum):
    """One run against a cell."""

    PROVISION = "provision"
    UPDATE = "update"
    SUSPEND = "suspend"
    RESUME = "resume"
    RESTART = "restart"
    MOVE = "move"
    BACKUP = "backup"
    DESTROY = "destroy"


class OperationStatus(StrEnum):
    """How an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """A person stopped it."""
    INTERRUPTED = "interrupted"
    """Its worker died or was stopped; another attempt goes on from where it was."""


class TenantState(StrEnum):
    """The state shown to people (design document, public contract)."""

    PENDING = "pending"
    PROVISIONING = "provisioning"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UPDATING = "updating"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    RESUMING = "resuming"
    DELETING = "deleting"
    DELETED = "deleted"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"


class EventKind(StrEnum):
    """What an operation event tells."""

    STARTED = "started"
    RESOURCE = "resource"
    DIAGNOSTIC = "diagnostic"
    POLICY = "policy"
    HEALTH = "health"
    FINISHED = "finished"


#: States in which a tenant may be once nothing is left to do.
RESTING: Final = frozenset({TenantState.HEALTHY, TenantState.SUSPENDED, TenantState.DELETED})
#: The gateway runs and answers, whatever else is done to it.
ANSWERING: Final = frozenset({TenantState.HEALTHY, TenantState.DEGRADED, TenantState.UPDATING})
#: It stands still, or is about to, and keeps what it knows.
PAUSED: Final = frozenset({TenantState.SUSPENDING, TenantState.SUSPENDED})
#: It will never live again.
GONE: Final = frozenset({TenantState.DELETING, TenantState.DELETED})
#: An operation ended badly.
STUCK: Final = frozenset({TenantState.FAILED, TenantState.NEEDS_ATTENTION})
