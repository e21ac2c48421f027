"""Reading requests: what they ask, what they will cost, and what the vendor gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.llm_proxy.errors import RefusedError
from services.traffic.llm_proxy.request import TOKENS_PER_IMAGE, ChatRequest, read_chat_request


def read(**fields: Any) -> ChatRequest:
    return read_chat_request(
        json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}).encode()
    )


def test_a_plain_request_is_forwarded_as_it_is() -> None:
    request = read(temperature=0.3, tools=[{"type": "function", "function": {"name": "f"}}])
    assert (request.model, request.stream, request.wants_usage, request.answers, request.max_output) == (
        "m", False, False, 1, None
    )  # fmt: skip
    assert json.loads(request.upstream_body()) == request.body


def test_a_stream_always_asks_for_usage_and_keeps_the_clients_other_options() -> None:
    request = read(stream=True, stream_options={"include_usage": False, "include_obfuscation": True})
    assert not request.wants_usage
    sent = json.loads(request.upstream_body())
    assert sent["stream_options"] == {"include_usage": True, "include_obfuscation": True}
    assert read(stream=True, stream_options={"include_usage": True}).wants_usage
    assert json.loads(read(stream=True, stream_options=None).upstream_body())["stream_options"] == {
        "include_usage": True
    }


def test_a_service_tier_is_never_passed_on() -> None:
    assert "service_tier" not in json.loads(read(service_tier="auto").upstream_body())
    with pytest.raises(RefusedError, match="service_tier"):
        read(service_tier="priority")


def test_the_newer_name_of_the_output_limit_wins() -> None:
    assert read(max_tokens=10).max_output == 10
    assert read(max_tokens=10, max_completion_tokens=20).max_output == 20
    assert read(max_tokens=None).max_output is None


def test_an_image_counts_by_its_number_and_not_by_its_bytes() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 3_000_000}}
    estimate = read(
        messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, image, image]}]
    ).input_estimate
    assert 2 * TOKENS_PER_IMAGE <= estimate < 2 * TOKENS_PER_IMAGE + 200


@given(st.text(max_size=300))
def test_an_estimate_is_a_third_of_the_bytes_at_least(text: str) -> None:
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}, ensure_ascii=False)
    encoded = raw.encode("utf-8", "surrogatepass")
    try:
        request = read_chat_request(encoded)
    except RefusedError:
        assert any(0xD800 <= ord(letter) < 0xE000 for letter in text)
        return
    assert request.input_estimate * 3 >= len(encoded)
    assert json.loads(request.upstream_body()) == json.loads(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(
        ["model", "messages", "stream", "stream_options", "n", "max_tokens", "tools", "modalities", "audio"]
    ),
)
def test_any_value_in_any_field_is_taken_or_refused_and_never_a_crash(value: Any, field: str) -> None:
    try:
        request = read(**{field: value})
    except RefusedError as refusal:
        outcome: int | ChatRequest = refusal.http_status
    else:
        outcome = request
    if isinstance(outcome, ChatRequest):
        assert outcome.input_estimate > 0
        assert outcome.answers >= 1
        assert outcome.upstream_body().isascii()
    else:
        assert outcome == 400


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_or_read(raw: bytes) -> None:
    with pytest.raises(RefusedError):
        read_chat_request(raw)
