"""Small rules: differences, cards, faults, parameters, configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.stripe.api.endpoint import Endpoint
from sandbox.stripe.api.parameters import check, known_parameters
from sandbox.stripe.api.table import ENDPOINTS
from sandbox.stripe.model.cards import Card, parse_number, refusal
from sandbox.stripe.model.config import StripeConfig
from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.faults import FaultKind, Faults
from sandbox.stripe.model.values import Clock, new_id
from sandbox.stripe.store.account import differences, public


def test_differences_name_only_what_changed_with_its_old_value() -> None:
    before = {"status": "active", "plan": {"a": 1, "b": 2}, "tags": [1, 2], "same": None, "_secret": 1}
    after = {"status": "canceled", "plan": {"a": 1, "b": 3}, "tags": [1], "same": None, "_secret": 2, "new": "x"}
    assert differences(before, after) == {"status": "active", "plan": {"b": 2}, "tags": [1, 2], "new": None}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("wxyz"), JSON, max_size=4)


@given(OBJECTS, OBJECTS)
def test_there_is_a_difference_exactly_when_something_changed(before: dict[str, Any], after: dict[str, Any]) -> None:
    filled = dict.fromkeys(before.keys() | after.keys())
    assert (differences(before, after) == {}) == ({**filled, **before} == {**filled, **after})


def test_private_fields_stay_inside() -> None:
    body = {"id": "x", "_number": "4242", "card": {"last4": "4242"}}
    shown = public(body)
    assert shown == {"id": "x", "card": {"last4": "4242"}}
    shown["card"]["last4"] = "0000"
    assert body["card"] == {"last4": "4242"}, "a snapshot shares nothing"


@pytest.mark.parametrize(
    ("number", "present", "later"),
    [
        ("4242424242424242", None, None),
        ("4000000000000002", "generic_decline", "generic_decline"),
        ("4000000000009995", "insufficient_funds", "insufficient_funds"),
        ("4000000000000341", None, "generic_decline"),
        ("4111111111111111", "test_mode_live_card", "test_mode_live_card"),
    ],
)
def test_each_test_card_does_what_it_is_known_for(number: str, present: str | None, later: str | None) -> None:
    assert parse_number(" ".join(number[start : start + 4] for start in range(0, 16, 4))) == number
    assert refusal(number, present=True, extra={}) == present
    assert refusal(number, present=False, extra={}) == later


@pytest.mark.parametrize("text", ["", "4242", "4242424242424241", "x" * 16, "4" * 20])
def test_what_is_no_card_number_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="card number is incorrect"):
        parse_number(text)


def test_brands() -> None:
    numbers = ("4242424242424242", "5555555555554444", "378282246310005", "6011111111111117")
    assert [Card(number=number).brand for number in numbers] == ["visa", "mastercard", "amex", "discover"]


def test_faults_hit_what_matches_and_as_often_as_ordered() -> None:
    faults = Faults()
    faults.add({"kind": "500", "count": 2, "match": "POST /v1/checkout"})
    assert faults.take("GET /v1/prices") is None
    hits = [faults.take("POST /v1/checkout/sessions") for _ in range(3)]
    assert [hit.kind if hit else None for hit in hits] == [FaultKind.ERROR, FaultKind.ERROR, None]


@pytest.mark.parametrize("values", [{"kind": "418"}, {}, {"kind": "500", "often": 3}, {"kind": "500", "match": "("}])
def test_faults_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises((ValueError, Exception)) as refused:
        Faults().add(values)
    assert not isinstance(refused.value, AssertionError)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_parameter_an_endpoint_handles_is_one_of_stripes(endpoint: Endpoint) -> None:
    known = known_parameters(endpoint.params)
    assert {*endpoint.takes, *endpoint.ignores, *endpoint.requires} <= set(known)
    assert not set(endpoint.takes) & set(endpoint.ignores)


def test_the_order_of_complaints() -> None:
    def handler(_: Any) -> dict[str, Any]:
        return {}

    endpoint = Endpoint(
        method="POST",
        path="/x",
        handler=handler,
        params="CustomerCreateParams",
        takes=("email", "address"),
        requires=("email",),
    )
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"nonsense": "1"}, "parameter_unknown", "nonsense"),
        ({"source": "tok"}, "sandbox_unsupported_parameter", "source"),
        ({"address": {"planet": "x"}}, "parameter_unknown", "address[planet]"),
        ({"address": {"city": "x"}}, "parameter_missing", "email"),
        ({"email": ""}, "parameter_missing", "email"),
    ]
    for values, code, param in cases:
        with pytest.raises(ApiError) as refused:
            check(endpoint, values)
        assert (refused.value.code, refused.value.param) == (code, param)
    check(endpoint, {"email": "a@example.com", "address": {"city": "x"}, "expand": {"0": "x"}})


def test_no_live_key_can_be_configured(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sk_test_"):
        StripeConfig(data=tmp_path, api_keys=("sk_live_x",))


def test_the_clock_only_goes_forward() -> None:
    clock = Clock()
    now = clock.now()
    clock.advance_to(now + 100)
    clock.advance_to(now)
    assert now + 100 <= clock.now() <= now + 102


def test_ids_look_like_stripes_and_never_repeat() -> None:
    made = {new_id("cus", 14) for _ in range(1000)}
    assert len(made) == 1000
    assert all(identifier.startswith("cus_") and len(identifier) == 18 for identifier in made)
