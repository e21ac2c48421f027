"""From rows to what a waiting customer is told: pure, so that every sentence can be tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from clawstack.vocabulary import ANSWERING, GONE, PAUSED, Desired, TenantState


class Stage(StrEnum):
    """Where a sign-up stands, for the page."""

    UNPAID = "unpaid"
    BUILDING = "building"
    LIVE = "live"
    PAUSED = "paused"
    ENDED = "ended"
    ATTENTION = "attention"


class StepState(StrEnum):
    """How far one step is."""

    DONE = "done"
    ACTIVE = "active"
    TODO = "todo"
    STUCK = "stuck"


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One event of an operation."""

    kind: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignupSituation:
    """What is known of one sign-up."""

    paid: bool
    expired: bool = False
    """Its payment page can no longer be used."""
    subscription_status: str | None = None
    wanted: Desired | None = None
    """What billing wants, where it knows."""
    wanted_reason: str | None = None
    attention: str | None = None
    tenant_state: str | None = None
    healthy_at: datetime | None = None
    """Once set, the assistant has answered at least once."""
    happenings: tuple[Happening, ...] = ()
    """Of the latest operation, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignupStep:
    """One line of the list."""

    label: str
    state: StepState
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SignupProgress:
    """What the page and the API say. `state` is the tenant's state, or `awaiting_payment`, `expired`,
    `ended` or `needs_attention`.
    """

    stage: Stage
    state: str
    title: str
    message: str
    steps: tuple[SignupStep, ...] = ()
    final: bool = False
    """True when asking again soon is pointless."""


#: What the pieces of a cell mean to the person who waits for them.
_PIECES: Final = {
    "Account": "A private space, closed to everybody else",
    "StateDirectory": "A memory of its own",
    "Gateway": "The assistant itself, getting to know you",
    "Namespace": "A private space, closed to everybody else",
    "PersistentVolumeClaim": "A memory of its own",
    "StatefulSet": "The assistant itself, getting to know you",
    "Deployment": "The assistant itself, getting to know you",
    "Server": "A server of its own",
}


def progress_of(situation: SignupSituation) -> SignupProgress:
    """What to tell the customer now."""
    state = situation.tenant_state
    if state is None:
        return _before_tenant(situation)
    if state in GONE:
        return _ended(state, situation.wanted_reason)
    if state in PAUSED or (state == TenantState.NEEDS_ATTENTION and situation.wanted is Desired.SUSPENDED):
        return _paused(state, situation.wanted_reason)
    if state == TenantState.NEEDS_ATTENTION:
        return _attention(state)
    if situation.healthy_at is not None and state in ANSWERING:
        return _live(state)
    return _building(state, situation)


def details_of(happenings: Iterable[Happening]) -> tuple[str, ...]:
    """The pieces that were begun, in plain words, each once. Diagnostics and rules are the operator's business."""
    lines: list[str] = []
    for happening in happenings:
        line = _line(happening)
        if line is not None and line not in lines:
            lines.append(line)
    return tuple(lines)


def _line(happening: Happening) -> str | None:
    if happening.kind == "resource":
        piece = str(happening.data.get("type", "")).rpartition(":")[2]
        return _PIECES.get(piece)
    return happening.message if happening.kind == "health" else None


def _before_tenant(situation: SignupSituation) -> SignupProgress:
    if situation.attention is not None:
        return _attention(TenantState.NEEDS_ATTENTION)
    if situation.wanted is Desired.ABSENT:
        return _ended("ended", situation.wanted_reason)
    if situation.paid:
        return _building(TenantState.PENDING, situation)
    confirming = situation.subscription_status == "incomplete"
    if situation.expired and not confirming:
        return _expired()
    return SignupProgress(
        stage=Stage.UNPAID,
        state="awaiting_payment",
        title="Waiting for your payment",
        message=(
            "Your bank is still confirming it. This can take a minute; you can leave this page open."
            if confirming
            else "As soon as it arrives, we start building your assistant. You can leave this page open."
        ),
        steps=(
            SignupStep(label="Payment", state=StepState.ACTIVE),
            SignupStep(label="Building your assistant", state=StepState.TODO),
            SignupStep(label="Ready to chat", state=StepState.TODO),
        ),
    )


def _expired() -> SignupProgress:
    return SignupProgress(
        stage=Stage.ENDED,
        state="expired",
        title="The payment page has expired",
        message="Nothing was charged. What you entered is still here, should you want to try again.",
        final=True,
    )


def _building(state: str, situation: SignupSituation) -> SignupProgress:
    slow = state == TenantState.FAILED
    return SignupProgress(
        stage=Stage.BUILDING,
        state=state,
        title="Your assistant is being built",
        message=(
            "It takes longer than usual. We keep trying, and your place is kept; you need not do anything."
            if slow
            else "Thank you, your payment arrived. This usually takes less than a minute."
        ),
        steps=(
            SignupStep(label="Payment received", state=StepState.DONE),
            SignupStep(
                label="Building your assistant",
                state=StepState.ACTIVE,
                details=details_of(situation.happenings),
            ),
            SignupStep(label="Ready to chat", state=StepState.TODO),
        ),
    )


def _live(state: str) -> SignupProgress:
    return SignupProgress(
        stage=Stage.LIVE,
        state=state,
        title="Your assistant is ready",
        message="Open the chat, press Start and say hi. It already knows what you told us.",
        steps=(
            SignupStep(label="Payment received", state=StepState.DONE),
            SignupStep(label="Assistant built", state=StepState.DONE),
            SignupStep(label="Ready to chat", state=StepState.DONE),
        ),
        final=True,
    )


def _paused(state: str, reason: str | None) -> SignupProgress:
    message = reason or "The assistant is paused. Everything it remembers is kept."
    return SignupProgress(stage=Stage.PAUSED, state=state, title="Your assistant is paused", message=message)


def _ended(state: str, reason: str | None) -> SignupProgress:
    message = f"{reason or 'The subscription has ended.'} You can sign up again whenever you like."
    return SignupProgress(
        stage=Stage.ENDED, state=state, title="This subscription has ended", message=message, final=True
    )


def _attention(state: str) -> SignupProgress:
    return SignupProgress(
        stage=Stage.ATTENTION,
        state=state,
        title="Somebody is looking into it",
        message="Something did not go as it should, and a person has to look at it. You need not do anything: "
        "what you told us and what you paid are safe, and this page will show when it goes on.",
        steps=(
            SignupStep(label="Payment received", state=StepState.DONE),
            SignupStep(label="Building your assistant", state=StepState.STUCK),
            SignupStep(label="Ready to chat", state=StepState.TODO),
        ),
    )
