"""Stripe's form encoding, read back; the official library's encoder is the other side."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.forms import Params, children, decode


def encoded(params: dict[str, Any]) -> str:
    """As the library sends it."""
    return urlencode(list(_api_encode(params)))


def test_nested_objects_and_lists() -> None:
    body = encoded(
        {"items": [{"price": "p1", "quantity": 2}, {"price": "p2"}], "metadata": {"a": "b"}, "expand": ["x", "y"]}
    )
    params = Params(decode(body))
    assert [entry.must("price") for entry in params.each("items")] == ["p1", "p2"]
    assert params.each("items")[0].whole("quantity") == 2
    assert params.texts("expand") == ["x", "y"]
    assert params.metadata() == {"a": "b"}


def test_brackets_without_a_number_append() -> None:
    assert children(decode("a[]=1&a[]=2&a[]=3")["a"]) == ["1", "2", "3"]


def test_more_than_ten_elements_keep_their_order() -> None:
    assert children(decode(encoded({"a": [str(number) for number in range(12)]}))["a"])[-2:] == ["10", "11"]


def test_metadata_may_have_numbers_as_names() -> None:
    assert Params(decode("metadata[0]=zero&metadata[7]=seven")).metadata() == {"0": "zero", "7": "seven"}


def test_metadata_changes_key_by_key() -> None:
    old = {"keep": "1", "drop": "2"}
    assert Params(decode("metadata[drop]=&metadata[new]=3")).metadata(old) == {"keep": "1", "new": "3"}
    assert Params(decode("metadata=")).metadata(old) == {}
    assert Params({}).metadata(old) == old


def test_an_empty_value_unsets() -> None:
    params = Params(decode("name=&pause_collection="))
    assert "name" in params
    assert params.text("name") is None
    assert params.child("pause_collection") is None


@pytest.mark.parametrize(
    ("body", "read", "message"),
    [
        ("n=12x", lambda params: params.whole("n"), "Invalid integer: 12x"),
        ("b=yes", lambda params: params.flag("b"), "Invalid boolean: yes"),
        ("c=blue", lambda params: params.choice("c", ("red",), "red"), "must be one of red"),
        ("o=1", lambda params: params.child("o"), "Invalid object"),
        ("t[x]=1", lambda params: params.text("t"), "Invalid string"),
        ("", lambda params: params.must("name"), "Missing required param: name"),
    ],
)
def test_wrong_values_are_named(body: str, read: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        read(Params(decode(body)))


def test_a_name_that_is_value_and_object_is_refused() -> None:
    with pytest.raises(ApiError, match="both a value and an object"):
        decode("a=1&a[b]=2")


def test_endless_forms_are_refused() -> None:
    with pytest.raises(ApiError, match="at most 1000"):
        decode("&".join(f"k{number}=1" for number in range(1001)))


NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
LEAVES = st.text(min_size=1, max_size=10)
TREES = st.dictionaries(NAMES, LEAVES | st.dictionaries(NAMES, LEAVES, min_size=1, max_size=3), max_size=4)


@given(TREES)
def test_whatever_the_library_encodes_is_decoded(tree: dict[str, Any]) -> None:
    assert decode(encoded(tree)) == tree


@given(st.text(max_size=200))
def test_no_body_breaks_the_decoder(body: str) -> None:
    problems: list[str] = []
    try:
        decoded = decode(body)
    except ApiError as refused:
        problems.append(refused.message)
        decoded = {}
    assert isinstance(decoded, dict)
    assert all("both a value and an object" in problem for problem in problems)
