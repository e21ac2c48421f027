"""The decision, case by case, and the laws that hold over all cases."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from clawstack.vocabulary import Desired, Observed, OperationKind, TenantState
from services.cells.provisioner.decide import Decision, Pause, Rest, Situation, decide, needed_operation
from services.tables.states import AT_REST, DURING, TRANSITIONS, may_follow

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
K, D, O = OperationKind, Desired, Observed  # noqa: E741 - the table below is read by its columns

#: desired, observed, cell given, newer generation, restart wanted, substrate changed -> what is needed
TABLE: list[tuple[Desired, Observed, bool, bool, bool, bool, OperationKind | Rest]] = [
    # wanted running
    (D.RUNNING, O.ABSENT, False, True, False, False, K.PROVISION),
    (D.RUNNING, O.ABSENT, True, True, False, False, K.PROVISION),
    (D.RUNNING, O.ABSENT, True, True, True, True, K.PROVISION),
    (D.RUNNING, O.SUSPENDED, True, True, False, False, K.RESUME),
    (D.RUNNING, O.SUSPENDED, True, False, False, False, K.RESUME),
    (D.RUNNING, O.BROKEN, True, False, False, False, K.UPDATE),
    (D.RUNNING, O.UNKNOWN, True, False, False, False, K.UPDATE),
    (D.RUNNING, O.RUNNING, True, False, False, False, Rest.CONVERGED),
    (D.RUNNING, O.RUNNING, True, False, True, False, Rest.CONVERGED),
    (D.RUNNING, O.RUNNING, True, True, False, False, K.UPDATE),
    (D.RUNNING, O.RUNNING, True, True, True, False, K.RESTART),
    (D.RUNNING, O.RUNNING, True, True, False, True, K.MOVE),
    (D.RUNNING, O.RUNNING, True, True, True, True, K.MOVE),
    (D.RUNNING, O.SUSPENDED, True, True, False, True, K.MOVE),
    (D.RUNNING, O.BROKEN, True, True, False, True, K.MOVE),
    # wanted suspended
    (D.SUSPENDED, O.ABSENT, False, True, False, False, Rest.CONVERGED),
    (D.SUSPENDED, O.ABSENT, True, True, False, False, K.SUSPEND),
    (D.SUSPENDED, O.RUNNING, True, True, False, False, K.SUSPEND),
    (D.SUSPENDED, O.RUNNING, True, False, False, False, K.SUSPEND),
    (D.SUSPENDED, O.BROKEN, True, False, False, False, K.SUSPEND),
    (D.SUSPENDED, O.UNKNOWN, True, False, False, False, K.SUSPEND),
    (D.SUSPENDED, O.SUSPENDED, True, False, False, False, Rest.CONVERGED),
    (D.SUSPENDED, O.SUSPENDED, True, True, False, False, K.UPDATE),
    (D.SUSPENDED, O.SUSPENDED, True, True, True, False, K.UPDATE),
    (D.SUSPENDED, O.SUSPENDED, True, True, False, True, K.MOVE),
    (D.SUSPENDED, O.RUNNING, True, True, False, True, K.MOVE),
    # wanted absent
    (D.ABSENT, O.ABSENT, False, True, False, False, Rest.GONE),
    (D.ABSENT, O.ABSENT, False, False, False, False, Rest.GONE),
    (D.ABSENT, O.ABSENT, True, True, False, False, K.DESTROY),
    (D.ABSENT, O.RUNNING, True, True, False, False, K.DESTROY),
    (D.ABSENT, O.RUNNING, True, True, True, True, K.DESTROY),
    (D.ABSENT, O.SUSPENDED, True, False, False, False, K.DESTROY),
    (D.ABSENT, O.BROKEN, True, True, False, False, K.DESTROY),
    (D.ABSENT, O.UNKNOWN, True, True, False, False, K.DESTROY),
]


def situation(
    desired: Desired, observed: Observed, *, cell: bool, newer: bool, restart: bool, moved: bool, **rest: object
) -> Situation:
    return Situation(
        desired=desired,
        observed=observed,
        generation=3 if newer else 2,
        observed_generation=2,
        has_cell=cell,
        restart_wanted=restart,
        substrate_changed=moved,
        **rest,  # type: ignore[arg-type]
    )


def every_situation(**rest: object) -> list[Situation]:
    flags = itertools.product((False, True), repeat=4)
    return [
        situation(desired, observed, cell=cell, newer=newer, restart=restart, moved=moved, **rest)
        for (cell, newer, restart, moved), desired, observed in itertools.product(flags, Desired, Observed)
    ]


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("observed", [Observed.RUNNING, Observed.SUSPENDED])
def test_a_backup_is_made_before_anything_is_changed(observed: Observed, newer: bool) -> None:
    wanted = Desired(observed.value)
    case = situation(wanted, observed, cell=True, newer=newer, restart=False, moved=False, backup_wanted=True)
    assert decide(case, now=NOW) is OperationKind.BACKUP


def test_a_cell_that_is_to_go_needs_no_extra_backup() -> None:
    case = situation(D.ABSENT, O.RUNNING, cell=True, newer=True, restart=False, moved=False, backup_wanted=True)
    assert decide(case, now=NOW) is OperationKind.DESTROY


@pytest.mark.parametrize(("desired", "observed", "cell", "newer", "restart", "moved", "expected"), TABLE)
def test_what_is_needed(
    desired: Desired, observed: Observed, cell: bool, newer: bool, restart: bool, moved: bool, expected: Decision
) -> None:
    given = situation(desired, observed, cell=cell, newer=newer, restart=restart, moved=moved)
    assert needed_operation(given) == expected
    assert decide(given, now=NOW) == expected


def test_every_combination_of_desired_and_observed_is_in_the_table() -> None:
    present = {(row[0], row[1]) for row in TABLE}
    assert present == set(itertools.product(Desired, Observed))


def test_every_combination_has_exactly_one_answer() -> None:
    assert len(every_situation()) == 16 * len(Desired) * len(Observed)
    for given in every_situation():
        assert isinstance(decide(given, now=NOW), OperationKind | Rest)


def test_what_is_wanted_absent_is_only_ever_destroyed_or_gone() -> None:
    for given in every_situation():
        if given.desired is Desired.ABSENT:
            assert decide(given, now=NOW) in {OperationKind.DESTROY, Rest.GONE}
        else:
            assert decide(given, now=NOW) not in {OperationKind.DESTROY, Rest.GONE}


def test_nothing_that_is_converged_is_touched_by_failures_of_the_past() -> None:
    for given in every_situation(blocked_generation=3, retry_at=NOW + timedelta(hours=1)):
        calm = decide(given, now=NOW)
        if isinstance(needed_operation(given), Rest):
            assert calm == needed_operation(given)
        else:
            assert isinstance(calm, Pause)


def test_a_block_holds_for_its_generation_only() -> None:
    blocked = situation(D.RUNNING, O.ABSENT, cell=True, newer=True, restart=False, moved=False, blocked_generation=3)
    assert decide(blocked, now=NOW) is Pause.BLOCKED
    older = situation(D.RUNNING, O.ABSENT, cell=True, newer=True, restart=False, moved=False, blocked_generation=2)
    assert decide(older, now=NOW) is OperationKind.PROVISION


@pytest.mark.parametrize(("ahead", "expected"), [(1, Pause.BACKING_OFF), (0, K.PROVISION), (-1, K.PROVISION)])
def test_a_back_off_ends_at_its_moment(ahead: int, expected: Decision) -> None:
    retry_at = NOW + timedelta(seconds=ahead)
    given = situation(D.RUNNING, O.ABSENT, cell=True, newer=True, restart=False, moved=False, retry_at=retry_at)
    assert decide(given, now=NOW) == expected


def test_every_operation_shows_a_state_and_every_wish_has_a_rest() -> None:
    assert set(DURING) == set(OperationKind)
    assert set(AT_REST) == set(Desired)
    assert set(TRANSITIONS) == set(TenantState)


def test_deleted_is_final_and_nothing_becomes_pending_again() -> None:
    assert TRANSITIONS[TenantState.DELETED] == frozenset()
    for state in TenantState:
        if state is not TenantState.PENDING:
            assert not may_follow(state, TenantState.PENDING)


@pytest.mark.parametrize("kind", OperationKind)
def test_whatever_runs_may_end_in_any_way(kind: OperationKind) -> None:
    during = DURING[kind]
    for end in (TenantState.HEALTHY, TenantState.SUSPENDED, TenantState.DELETED, TenantState.FAILED):
        assert may_follow(during, end)
    assert may_follow(during, TenantState.NEEDS_ATTENTION)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        (TenantState.PENDING, TenantState.PROVISIONING, True),
        (TenantState.PENDING, TenantState.DELETED, True),
        (TenantState.PENDING, TenantState.HEALTHY, False),
        (TenantState.HEALTHY, TenantState.DEGRADED, True),
        (TenantState.HEALTHY, TenantState.PROVISIONING, False),
        (TenantState.HEALTHY, TenantState.DELETED, False),
        (TenantState.DEGRADED, TenantState.HEALTHY, True),
        (TenantState.SUSPENDED, TenantState.RESUMING, True),
        (TenantState.SUSPENDED, TenantState.HEALTHY, False),
        (TenantState.NEEDS_ATTENTION, TenantState.DELETING, True),
        (TenantState.FAILED, TenantState.PROVISIONING, True),
        (TenantState.DELETED, TenantState.DELETED, True),
        (TenantState.DELETED, TenantState.HEALTHY, False),
    ],
)
def test_steps_of_the_shown_state(before: TenantState, after: TenantState, allowed: bool) -> None:
    assert may_follow(before, after) is allowed
