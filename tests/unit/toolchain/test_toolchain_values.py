"""Property values survive the way to the engine and back."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from clawstack.plugin_server.values import (
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_STRING,
    Secret,
    has_secret,
    has_unknown,
    reveal,
    to_python,
    to_struct,
)

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just(UNKNOWN)
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Secret, inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _VALUES))
def test_every_property_map_survives_a_round_trip(properties: dict[str, Any]) -> None:
    wire = struct_pb2.Struct.FromString(to_struct(properties).SerializeToString())
    assert to_python(wire) == properties


@given(_VALUES)
def test_revealing_leaves_no_secret_and_keeps_unknowns(value: Any) -> None:
    assert not has_secret(reveal(value))
    assert has_unknown(reveal(value)) == has_unknown(value)


def test_the_signatures_are_those_of_the_sdk() -> None:
    wire = json_format.MessageToDict(to_struct({"token": Secret("abc"), "later": UNKNOWN}))
    assert wire == {
        "token": {rpc._special_sig_key: rpc._special_secret_sig, "value": "abc"},
        "later": rpc.UNKNOWN,
    }
    assert (rpc._special_sig_key, rpc._special_secret_sig) == (SIGNATURE_KEY, SECRET_SIGNATURE)
    decoded = rpc.deserialize_properties(to_struct({"token": Secret("abc")}))
    assert rpc.is_rpc_secret(decoded["token"])


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"value": 1}, 1),
        ({"value": "a", "secret": True, "dependencies": []}, Secret("a")),
        ({}, UNKNOWN),
        ({"secret": True}, Secret(UNKNOWN)),
    ],
)
def test_output_values_say_unknown_and_secret(output: dict[str, Any], expected: Any) -> None:
    wire = struct_pb2.Struct()
    wire.update({"it": {SIGNATURE_KEY: rpc._special_output_value_sig, **output}})
    assert to_python(wire) == {"it": expected}


def test_every_kind_of_unknown_is_unknown() -> None:
    wire = struct_pb2.Struct()
    wire.update({"a": "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", "b": ["dd056dcd-154b-4c76-9bd3-c8f88648b5ff"]})
    assert to_python(wire) == {"a": UNKNOWN, "b": [UNKNOWN]}
    assert UNKNOWN_STRING == rpc.UNKNOWN


def test_assets_survive_as_they_are_on_the_wire() -> None:
    asset = {SIGNATURE_KEY: "c44067f5952c0a294b673a41bacd8c17", "text": "hello", "hash": "x"}
    assert to_python(to_struct({"file": asset})) == {"file": asset}


def test_whole_numbers_are_integers_and_others_stay() -> None:
    numbers = to_python(to_struct({"a": 16, "b": 16.0, "c": 1.5, "d": 2.0**60, "e": True}))
    assert numbers == {"a": 16, "b": 16, "c": 1.5, "d": 2.0**60, "e": True}
    assert [type(numbers[name]) for name in "abcde"] == [int, int, float, float, bool]


def test_a_secret_does_not_show_its_content() -> None:
    assert "hunter2" not in repr(Secret("hunter2"))
    assert "hunter2" not in str([Secret({"password": "hunter2"})])


def test_a_value_without_a_pulumi_form_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="no value of type bytes"):
        to_struct({"raw": b"abc"})
