"""Streams pass through untouched, however they are cut, but for usage that nobody asked for and errors."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.ledger.schemas import TokenCount
from services.traffic.llm_proxy import sse
from services.traffic.llm_proxy.sse import EventSplitter, OversizedEventError, StreamFilter

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def event(document: Any, border: bytes = b"\n\n") -> bytes:
    text = document if isinstance(document, str) else json.dumps(document)
    return b"data: " + text.encode() + border


def delta(text: str, **rest: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}], **rest}


def run(stream: bytes, *, cuts: list[int] | None = None, show_usage: bool = False) -> tuple[bytes, StreamFilter]:
    splitter = EventSplitter()
    events = StreamFilter(show_usage=show_usage, clean_error=lambda _: {"error": {"message": "clean"}})
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts or [])})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    passed = [events.passed(whole) for piece in pieces for whole in splitter.feed(piece)]
    rest = splitter.rest()
    return b"".join(passed) + (events.passed(rest) if rest.strip() else b""), events


STREAM = (
    b": comment\n\n"
    + event(delta("Hel", usage=None))
    + event(delta("lo"), b"\r\n\r\n")
    + b"event: x\nid: 7\n"
    + event({"choices": [], "usage": USAGE})
    + event("[DONE]")
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_however_a_stream_is_cut_the_client_gets_the_same_and_usage_is_read(cuts: list[int]) -> None:
    passed, events = run(STREAM, cuts=cuts)
    assert passed == STREAM.replace(b"event: x\nid: 7\n" + event({"choices": [], "usage": USAGE}), b"")
    assert events.done
    assert events.usage.count() == TokenCount(input=9, output=2)
    assert events.text_bytes == len("Hello")
    assert run(STREAM, cuts=cuts, show_usage=True)[0] == STREAM


@given(pieces=st.lists(st.binary(max_size=40), max_size=10), show_usage=st.booleans())
def test_any_bytes_are_survived_and_pass_in_order(pieces: list[bytes], *, show_usage: bool) -> None:
    stream = b"".join(pieces)
    passed, events = run(stream, cuts=[7, 13, 40], show_usage=show_usage)
    if events.usage.count() is None and b"error" not in stream:
        assert passed == stream or passed == stream[: len(passed)]


def test_usage_beside_content_is_taken_out_but_the_content_stays() -> None:
    passed, events = run(event(delta("x", usage=USAGE)))
    assert json.loads(passed[6:]) == delta("x")
    assert events.usage.count() == TokenCount(input=9, output=2)


def test_words_about_usage_and_errors_are_just_words() -> None:
    stream = event(delta('he said "usage": {"prompt_tokens": 5} and "error": {"message": "x"}')) + event("[DONE]")
    passed, events = run(stream)
    assert passed == stream
    assert events.usage.count() is None


def test_an_error_event_is_replaced() -> None:
    passed, _ = run(event({"error": {"message": "the key sk-123"}}))
    assert json.loads(passed[6:]) == {"error": {"message": "clean"}}


def test_an_event_with_error_null_passes() -> None:
    stream = event(delta("x", error=None))
    assert run(stream)[0] == stream


def test_text_is_measured_with_escapes_and_in_every_field() -> None:
    call = {"function": {"arguments": '{"a": "b"}'}}
    stream = event(delta("ü" * 10)) + event(
        {"choices": [{"delta": {"reasoning_content": "abc", "tool_calls": [call]}}]}
    )
    _, events = run(stream)
    assert events.text_bytes >= 10 + 3 + len('{"a": "b"}')
    assert events.events == 2


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LARGEST_EVENT", 1000)
    splitter = EventSplitter()
    assert list(splitter.feed(b"x" * 1000)) == []
    with pytest.raises(OversizedEventError):
        list(splitter.feed(b"x"))
