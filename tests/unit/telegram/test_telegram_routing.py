"""Decisions about updates: to whom, with what words, and whose chat it is afterwards."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from services.traffic.telegram.model import texts
from services.traffic.telegram.model.routing import (
    Decision,
    KnownCode,
    NoticeKind,
    Owner,
    UpdateOutcome,
    decide,
    decide_start,
)
from services.traffic.telegram.model.texts import Standing
from services.traffic.telegram.model.updates import Incoming

_NOW = datetime(2026, 11, 21, tzinfo=UTC)
_CUSTOMER = uuid.uuid4()


def _owner(standing: Standing = Standing.READY, customer: uuid.UUID | None = None) -> Owner:
    return Owner(tenant_id=uuid.uuid4(), customer_id=customer or uuid.uuid4(), standing=standing)


def _update(
    kind: str = "message", *, chat_type: str = "private", from_bot: bool = False, starts: bool = False
) -> Incoming:
    return Incoming(
        update_id=1,
        kind=kind,
        body={},
        chat_id=5,
        chat_type=chat_type,
        from_bot=from_bot,
        starts=starts,
        first_name="Ana",
    )


def _code(owner: Owner, *, used: bool = False, expired: bool = False) -> KnownCode:
    expires_at = _NOW + timedelta(days=-1 if expired else 1)
    return KnownCode(owner=owner, expires_at=expires_at, used_by_chat=9 if used else None, is_used=used)


def _text(decision: Decision) -> str:
    return decision.notice.text if decision.notice else ""


@pytest.mark.parametrize("standing", [Standing.READY, Standing.PREPARING, Standing.PAUSED])
@pytest.mark.parametrize("kind", ["message", "edited_message", "callback_query", "my_chat_member"])
def test_whatever_state_the_assistant_is_in_its_updates_are_kept_for_it(standing: Standing, kind: str) -> None:
    owner = _owner(standing)
    decision = decide(_update(kind), owner)
    assert decision.deliver_to == owner.tenant_id
    assert decision.outcome is None
    assert (decision.notice is not None) == (standing is Standing.PAUSED and kind == "message")


def test_nobodys_chat_gets_a_hint_once_a_day_and_no_assistant_hears_of_it() -> None:
    decision = decide(_update(), None)
    assert (decision.deliver_to, decision.outcome) == (None, UpdateOutcome.UNBOUND)
    assert decision.notice is not None
    assert (decision.notice.kind, decision.notice.not_again_within) == (NoticeKind.HINT, timedelta(days=1))


@pytest.mark.parametrize(
    "update",
    [
        _update(chat_type="group"),
        _update("edited_message"),
        _update("my_chat_member"),
        _update(from_bot=True),
    ],
)
def test_the_router_does_not_speak_unasked(update: Incoming) -> None:
    assert decide(update, None).notice is None


def test_in_a_group_a_start_is_answered() -> None:
    assert _text(decide(_update(chat_type="group", starts=True), None)) == texts.UNBOUND_HINT


def test_a_gone_assistants_chat_is_told_and_released() -> None:
    decision = decide(_update(), _owner(Standing.GONE))
    assert (decision.deliver_to, decision.outcome, decision.release) == (None, UpdateOutcome.TENANT_GONE, True)
    assert _text(decision) == texts.FAREWELL
    quiet = decide(_update("my_chat_member"), _owner(Standing.GONE))
    assert (quiet.notice, quiet.release) == (None, False)


@pytest.mark.parametrize(
    ("standing", "words"),
    [(Standing.READY, "is ready"), (Standing.PREPARING, "being prepared"), (Standing.PAUSED, "is paused")],
)
def test_a_good_code_binds_and_says_how_far_the_assistant_is(standing: Standing, words: str) -> None:
    target = _owner(standing)
    decision = decide_start(_update(), None, _code(target), now=_NOW)
    assert (decision.bind_to, decision.use_code, decision.deliver_to) == (target.tenant_id, True, None)
    assert _text(decision).startswith("Hello Ana!")
    assert words in _text(decision)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (None, texts.UNKNOWN_LINK),
        (_code(_owner(), used=True), texts.USED_LINK),
        (_code(_owner(), expired=True), texts.EXPIRED_LINK),
        (_code(_owner(Standing.GONE)), texts.EXPIRED_LINK),
    ],
)
def test_a_bad_code_binds_nothing_and_the_answer_says_why(code: KnownCode | None, answer: str) -> None:
    decision = decide_start(_update(), None, code, now=_NOW)
    assert (decision.bind_to, decision.use_code) == (None, False)
    assert _text(decision) == answer


def test_a_chat_moves_within_one_customer_only() -> None:
    mine = _owner(customer=_CUSTOMER)
    same, other = _owner(customer=_CUSTOMER), _owner()
    assert decide_start(_update(), mine, _code(same), now=_NOW).bind_to == same.tenant_id
    refused = decide_start(_update(), mine, _code(other), now=_NOW)
    assert (refused.bind_to, refused.use_code, _text(refused)) == (None, False, texts.FOREIGN_CHAT)


def test_tenants_without_a_customer_share_nothing() -> None:
    first = Owner(tenant_id=uuid.uuid4(), customer_id=None, standing=Standing.READY)
    second = Owner(tenant_id=uuid.uuid4(), customer_id=None, standing=Standing.READY)
    assert decide_start(_update(), first, _code(second), now=_NOW).bind_to is None


def test_a_chat_of_a_gone_assistant_is_free() -> None:
    target = _owner()
    assert decide_start(_update(), _owner(Standing.GONE), _code(target), now=_NOW).bind_to == target.tenant_id


def test_opening_the_own_link_again_changes_nothing() -> None:
    owner = _owner()
    for code in (_code(owner), _code(owner, used=True), _code(owner, expired=True)):
        decision = decide_start(_update(), owner, code, now=_NOW)
        assert (decision.bind_to, decision.use_code) == (None, False)
        assert "is connected to your assistant" in _text(decision)


def test_names_cannot_stretch_a_greeting() -> None:
    greeting = texts.greeting(Standing.READY, first_name="A\n\nB " + "x" * 500, moved=False)
    assert greeting.startswith("Hello A B xxx")
    assert len(greeting) < 300
