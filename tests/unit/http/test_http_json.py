"""JSON is counted before it is parsed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.business.billing.errors import MalformedEventError
from services.business.billing.stripe_events import parse
from services.kit.http import bounded_json
from services.kit.http.bounded_json import JsonBounds, JsonShapeError, check_shape, decode
from services.traffic.llm_proxy.errors import RefusedError
from services.traffic.llm_proxy.request import read_chat_request
from services.traffic.telegram.model.errors import BotApiError, MalformedUpdateError
from services.traffic.telegram.model.updates import parse_update
from services.traffic.telegram.virtual.parameters import strict_json
from tests.attackers import DEAR_BODIES

BOUNDS = JsonBounds(items=100, depth=8)
SIZE = 2 * 1024 * 1024

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", '\\"', "[{,:", '"],']),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=6),
    max_leaves=12,
)


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever parses fails the test."""

    def parsed(*_: Any, **__: Any) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(bounded_json.json, "loads", parsed)


@pytest.mark.usefixtures("no_parser")
@pytest.mark.parametrize("name", DEAR_BODIES)
def test_what_is_dear_to_parse_is_never_parsed(name: str) -> None:
    body = DEAR_BODIES[name](SIZE)
    with pytest.raises(JsonShapeError):
        decode(body, BOUNDS)
    with pytest.raises(RefusedError) as chat:
        read_chat_request(body)
    assert (chat.value.http_status, chat.value.code) == (400, "malformed_json")
    with pytest.raises(MalformedUpdateError):
        parse_update(body, bot="some_bot")
    with pytest.raises(BotApiError):
        strict_json(body)
    with pytest.raises(BotApiError):
        strict_json(body.decode())
    with pytest.raises(MalformedEventError):
        parse(body)


def counted(value: Any) -> tuple[int, int]:
    """Commas and containers, and depth, by looking at what was parsed."""
    if not isinstance(value, dict | list):
        return 0, 0
    below = [counted(item) for item in (value.values() if isinstance(value, dict) else value)]
    items = 1 + max(0, len(below) - 1) + sum(items for items, _ in below)
    return items, 1 + max((depth for _, depth in below), default=0)


@given(value=JSON, ascii_only=st.booleans())
def test_the_count_is_exact_whatever_texts_hold(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    items, depth = counted(value)
    assert decode(raw, JsonBounds(items=max(items, 1), depth=max(depth, 1))) == value
    if items > 1:
        with pytest.raises(JsonShapeError, match="items"):
            check_shape(raw, JsonBounds(items=items - 1, depth=depth))
    if depth > 1:
        with pytest.raises(JsonShapeError, match="deeper"):
            check_shape(raw, JsonBounds(items=items, depth=depth - 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"NaN", b"[Infinity]", b"1e999", b"-1e999", b"9" * 5000, b'"\xff"', b'"\xed\xa0\xbd"', b'"a\x00"', b"", b"[",
        "[1]".encode("utf-16"), "[1]".encode("utf-16-le"), "[1]".encode("utf-32"), b'{"a":1]', b"[}",
    ],
)  # fmt: skip
def test_what_is_no_json_or_could_not_be_written_again_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        decode(raw, BOUNDS)


def test_half_an_emoji_from_javascript_passes() -> None:
    assert decode(rb'["\ud83d"]', BOUNDS) == ["\ud83d"]
    assert json.dumps(decode(rb'["\ud83d"]', BOUNDS)) == r'["\ud83d"]'
    assert decode("\ufeff[1]".encode(), BOUNDS) == [1]
