"""The state that people are shown: which follows which, and what each happening makes of it."""

from __future__ import annotations

from typing import Final

from clawstack.vocabulary import STUCK, Desired, OperationKind, TenantState

_S = TenantState

#: While an operation of this kind runs.
DURING: Final = {
    OperationKind.PROVISION: _S.PROVISIONING,
    OperationKind.UPDATE: _S.UPDATING,
    OperationKind.SUSPEND: _S.SUSPENDING,
    OperationKind.RESUME: _S.RESUMING,
    OperationKind.RESTART: _S.UPDATING,
    OperationKind.MOVE: _S.UPDATING,
    OperationKind.BACKUP: _S.UPDATING,
    OperationKind.DESTROY: _S.DELETING,
}

#: Once nothing is left to do.
AT_REST: Final = {
    Desired.RUNNING: _S.HEALTHY,
    Desired.SUSPENDED: _S.SUSPENDED,
    Desired.ABSENT: _S.DELETED,
}

_BUSY: Final = frozenset(DURING.values())

#: Every step that may happen; a state may always stay what it is. `deleted` is final.
TRANSITIONS: Final[dict[TenantState, frozenset[TenantState]]] = {
    _S.PENDING: _BUSY | STUCK | {_S.SUSPENDED, _S.DELETED},
    _S.HEALTHY: (_BUSY - {_S.PROVISIONING}) | {_S.DEGRADED},
    _S.DEGRADED: _BUSY | STUCK | {_S.HEALTHY, _S.SUSPENDED},
    _S.SUSPENDED: _BUSY | {_S.DELETED, _S.DEGRADED},
    _S.DELETED: frozenset(),
    **{state: frozenset(_S) - {_S.PENDING} for state in _BUSY | STUCK},
}


def may_be_used(desired_state: str) -> bool:
    """May this tenant be used: spend on models, be restarted? Only while it is wanted running, whatever was last seen."""
    return desired_state == Desired.RUNNING


def may_follow(before: TenantState, after: TenantState) -> bool:
    """True when `after` may be shown to someone who was shown `before`."""
    return before is after or after in TRANSITIONS[before]
