"""Reading updates: what is in them, and what they cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.telegram.model.errors import MalformedUpdateError
from services.traffic.telegram.model.updates import CHAT_AT, POLL_AT, WANTED, Incoming, parse_update, read_update

_BOT = "ClawBot"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _message(text: str, **more: Any) -> Incoming:
    content = {
        "chat": {"id": 5, "type": "private"},
        "from": {"id": 5, "is_bot": False, "first_name": "Ana"},
        "text": text,
    }
    return read_update({"update_id": 1, "message": content | more}, bot=_BOT)


@pytest.mark.parametrize("kind", sorted(CHAT_AT))
def test_every_wanted_kind_tells_its_chat(kind: str) -> None:
    content: Any = {"id": -1007, "type": "supergroup"}
    for key in reversed(CHAT_AT[kind][:-1]):
        content = {key: content}
    assert read_update({"update_id": 1, kind: content}, bot=_BOT).chat_id == -1007


@pytest.mark.parametrize(
    "kind",
    ["business_message", "edited_business_message", "deleted_business_messages", "guest_message", "inline_query"],
)
def test_conversations_that_are_not_with_the_bot_have_no_chat_and_are_not_asked_for(kind: str) -> None:
    update = read_update({"update_id": 1, kind: {"chat": {"id": 5}, "from": {"id": 5}}}, bot=_BOT)
    assert (update.chat_id, update.poll_id) == (None, None)
    assert kind not in WANTED


def test_a_poll_answer_tells_its_poll() -> None:
    assert read_update({"update_id": 1, "poll_answer": {"poll_id": "77"}}, bot=_BOT).poll_id == "77"
    assert set(POLL_AT) <= set(WANTED)


@pytest.mark.parametrize(
    ("text", "starts", "code"),
    [
        ("/start abc_DEF-123", True, "abc_DEF-123"),
        ("/start@ClawBot abc", True, "abc"),
        ("/start@clawbot abc", True, "abc"),
        ("/start  abc ", True, "abc"),
        ("/start", True, None),
        ("/start@OtherBot abc", False, None),
        ("/start abc def", False, None),
        ("/start " + "x" * 65, False, None),
        ("/start ümlaut", False, None),
        ("/starter abc", False, None),
        ("please /start abc", False, None),
        ("", False, None),
    ],
)
def test_a_deep_link_is_recognised(text: str, starts: bool, code: str | None) -> None:
    update = _message(text)
    assert (update.starts, update.code) == (starts, code)


def test_only_a_new_message_can_be_a_deep_link() -> None:
    body = {"update_id": 1, "edited_message": {"chat": {"id": 5}, "text": "/start abc"}}
    assert read_update(body, bot=_BOT).code is None


def test_all_files_of_a_message_are_found() -> None:
    photo = [{"file_id": "small", "file_unique_id": "u"}, {"file_id": "large"}]
    reply = {"document": {"file_id": "doc", "thumbnail": {"file_id": "thumb"}}}
    assert _message("", photo=photo, reply_to_message=reply).files == {"small", "large", "doc", "thumb"}


@pytest.mark.parametrize("chat_id", [None, "5", 5.0, True, [5], {"id": 5}, 2**63, -(2**63) - 1])
def test_a_chat_that_is_no_number_is_no_chat(chat_id: object) -> None:
    assert read_update({"update_id": 1, "message": {"chat": {"id": chat_id}}}, bot=_BOT).chat_id is None


@given(_JSON)
def test_any_json_is_an_update_or_malformed_and_what_is_kept_can_be_stored(value: Any) -> None:
    body = {"update_id": 3, "message": value}
    update = read_update(body, bot=_BOT)
    text = json.dumps(update.body, allow_nan=False)
    assert "\\u0000" not in text
    text.encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_update_or_malformed(raw: bytes) -> None:
    try:
        update = parse_update(raw, bot=_BOT)
    except MalformedUpdateError:
        return
    assert update.update_id >= 0
