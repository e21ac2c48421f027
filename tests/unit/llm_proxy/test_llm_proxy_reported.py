"""Usage is found by its shape, wherever a vendor puts it, and never invented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.ledger.schemas import TokenCount
from services.traffic.llm_proxy.reported import ReportedUsage

OPENAI = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
CACHED = {**OPENAI, "prompt_tokens_details": {"cached_tokens": 60}}
RESPONSES = {"input_tokens": 100, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 60}}
ANTHROPIC = {"input_tokens": 10, "output_tokens": 7, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}


def counted(*documents: Any) -> TokenCount | None:
    usage = ReportedUsage()
    for document in documents:
        usage.observe(document)
    return usage.count()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"usage": OPENAI}, TokenCount(input=100, output=7)),
        ({"usage": CACHED, "choices": []}, TokenCount(input=100, cached=60, output=7)),
        ({"usage": CACHED, "choices": [{"delta": {"content": "x"}}]}, TokenCount(input=100, cached=60, output=7)),
        ({"choices": [{"delta": {}, "usage": CACHED}]}, TokenCount(input=100, cached=60, output=7)),
        ({"type": "response.completed", "response": {"usage": RESPONSES}}, TokenCount(input=100, cached=60, output=7)),
        ({"type": "message_start", "message": {"usage": ANTHROPIC}}, TokenCount(input=100, cached=60, output=7)),
        ({"usage": {**OPENAI, "total_tokens": 150}}, TokenCount(input=100, output=50)),
        ({"usage": {**OPENAI, "prompt_tokens_details": None}}, TokenCount(input=100, output=7)),
        ({"usage": {"prompt_tokens": 5.0, "completion_tokens": 1}}, TokenCount(input=5, output=1)),
        (
            {"usage": {**OPENAI, "prompt_tokens_details": {"cached_tokens": 9999}}},
            TokenCount(input=100, cached=100, output=7),
        ),
    ],
)
def test_every_known_shape_is_understood(document: Any, expected: TokenCount) -> None:
    assert counted(document) == expected


def test_cumulative_counts_replace_and_are_never_added() -> None:
    start = {"type": "message_start", "message": {"usage": {**ANTHROPIC, "output_tokens": 1}}}
    deltas = [{"type": "message_delta", "usage": {"output_tokens": count}} for count in (3, 8, 21)]
    assert counted(start, *deltas) == TokenCount(input=100, cached=60, output=21)


def test_null_usage_in_a_later_chunk_does_not_erase_an_earlier_one() -> None:
    assert counted({"usage": OPENAI}, {"usage": None}, {"usage": {"prompt_tokens": None}}) == TokenCount(
        input=100, output=7
    )


@pytest.mark.parametrize(
    "usage",
    [
        None, [], "100", 100, {}, {"tokens": 5}, {"prompt_tokens": "100", "completion_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1}, {"prompt_tokens": 10**12, "completion_tokens": 1},
        {"prompt_tokens": float("inf"), "completion_tokens": 1}, {"prompt_tokens": float("nan"), "completion_tokens": 1},
        {"input_tokens": {}, "output_tokens": 1},
    ],
)  # fmt: skip
def test_what_is_no_usage_is_not_taken_for_zero(usage: Any) -> None:
    assert counted({"usage": usage}) is None


def test_damage_does_not_replace_what_was_understood() -> None:
    assert counted({"usage": OPENAI}, {"usage": {"prompt_tokens": "many"}}) == TokenCount(input=100, output=7)


def _keys() -> st.SearchStrategy[str]:
    known = ["usage", "choices", "message", "response", "prompt_tokens", "completion_tokens", "total_tokens"]
    known += ["input_tokens", "output_tokens", "cache_read_input_tokens", "prompt_tokens_details", "cached_tokens"]
    return st.sampled_from(known) | st.text(max_size=4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_any_document_is_survived_and_counts_stay_sound(documents: list[Any]) -> None:
    count = counted(*documents)
    if count is not None:
        assert 0 <= count.cached <= count.input
        assert count.output >= 0


@given(
    prompt=st.integers(0, 10**6), completion=st.integers(0, 10**6), cached=st.integers(0, 10**6), details=st.booleans(),
    place=st.sampled_from(["top", "choice", "message", "response"]), noise=st.lists(JSON, max_size=2),
)  # fmt: skip
def test_what_was_written_is_read_back_wherever_it_sits(
    prompt: int, completion: int, cached: int, place: str, noise: list[Any], *, details: bool
) -> None:
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    if details:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    places: dict[str, dict[str, Any]] = {
        "top": {"usage": usage},
        "choice": {"choices": [None, {"usage": usage}]},
        "message": {"message": {"usage": usage}},
        "response": {"response": {"usage": usage}},
    }
    document = places[place]
    expected = TokenCount(input=prompt, cached=min(cached, prompt) if details else 0, output=completion)
    assert counted(json.loads(json.dumps(document))) == expected
    assert counted(*noise, document) is not None
