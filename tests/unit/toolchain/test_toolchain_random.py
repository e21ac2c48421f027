"""The offline random provider, called as the engine calls it but without a server."""

from __future__ import annotations

import base64
import string
import uuid
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import UNKNOWN, Secret, reveal, to_python, to_struct
from toolchain.plugins.random_provider.provider import RandomProvider

PROVIDER = RandomProvider(version="4.21.4")
CONTEXT: grpc.ServicerContext = None  # type: ignore[assignment] # no handler of this provider uses it
SECRET_KINDS = {"RandomPassword": {"result", "bcryptHash"}, "RandomBytes": {"base64", "hex"}}
SOUND = {
    "RandomPassword": {"length": 16},
    "RandomString": {"length": 16},
    "RandomId": {"byteLength": 6},
    "RandomPet": {},
    "RandomUuid": {},
    "RandomUuid4": {},
    "RandomUuid7": {},
    "RandomInteger": {"min": 1, "max": 6},
    "RandomBytes": {"length": 8},
    "RandomShuffle": {"inputs": ["a", "b", "c"]},
}


def urn(kind: str) -> str:
    return f"urn:pulumi:dev::project::custom:Component$random:index/{kind[0].lower()}{kind[1:]}:{kind}::it"


def check(kind: str, **inputs: Any) -> provider_pb2.CheckResponse:
    return PROVIDER.Check(provider_pb2.CheckRequest(urn=urn(kind), news=to_struct(inputs)), CONTEXT)


def create(kind: str, *, preview: bool = False, **inputs: Any) -> tuple[str, dict[str, Any]]:
    request = provider_pb2.CreateRequest(urn=urn(kind), properties=to_struct(inputs), preview=preview)
    answer = PROVIDER.Create(request, CONTEXT)
    return answer.id, to_python(answer.properties)


def diff(kind: str, old: dict[str, Any], new: dict[str, Any], ignore: list[str] | None = None) -> Any:
    request = provider_pb2.DiffRequest(
        urn=urn(kind), old_inputs=to_struct(old), news=to_struct(new), ignoreChanges=ignore or []
    )
    return PROVIDER.Diff(request, CONTEXT)


@pytest.mark.parametrize("kind", SOUND)
def test_every_kind_is_made_without_complaint_and_marks_its_secrets(kind: str) -> None:
    assert not check(kind, **SOUND[kind]).failures
    identity, outputs = create(kind, **SOUND[kind])
    assert identity
    assert {name for name, value in outputs.items() if isinstance(value, Secret)} == SECRET_KINDS.get(kind, set())
    assert SOUND[kind].items() <= reveal(outputs).items()


@pytest.mark.parametrize("kind", SOUND)
def test_a_preview_makes_nothing_and_knows_only_what_was_given(kind: str) -> None:
    identity, outputs = create(kind, preview=True, **SOUND[kind], keepers={"version": UNKNOWN})
    assert identity == ""
    real = create(kind, **SOUND[kind])[1]
    made = set(real) - {"keepers"} - set(outputs)
    assert not made, "a preview names every output that the update has"
    unknown = {name for name, value in outputs.items() if reveal(value) is UNKNOWN}
    again = create(kind, **SOUND[kind])[1]
    assert {name for name in real if reveal(real[name]) != reveal(again[name])} <= unknown


@pytest.mark.parametrize("kind", SOUND)
def test_the_same_inputs_change_nothing_and_new_keepers_replace(kind: str) -> None:
    same = diff(kind, SOUND[kind], {**SOUND[kind], "keepers": None})
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    changed = diff(kind, {**SOUND[kind], "keepers": {"a": "1"}}, {**SOUND[kind], "keepers": {"a": "2"}})
    assert changed.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(changed.replaces) == ["keepers"]
    assert changed.detailedDiff["keepers"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert not changed.deleteBeforeReplace


def test_saying_a_default_aloud_changes_nothing() -> None:
    spoken = {"length": 16, "special": True, "minLower": 0, "numeric": True}
    assert diff("RandomPassword", {"length": 16}, spoken).changes == provider_pb2.DiffResponse.DIFF_NONE
    assert list(diff("RandomPassword", {"length": 16}, {"length": 16, "number": False}).replaces) == [
        "number",
        "numeric",
    ]


def test_an_unknown_keeper_is_a_replacement_in_preview_unless_ignored() -> None:
    old, new = {"length": 8, "keepers": {"a": "1"}}, {"length": 8, "keepers": {"a": UNKNOWN}}
    assert list(diff("RandomString", old, new).replaces) == ["keepers"]
    assert diff("RandomString", old, new, ["keepers"]).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_keeper_that_becomes_secret_with_the_same_content_changes_nothing() -> None:
    old, new = {"length": 8, "keepers": {"a": "1"}}, {"length": 8, "keepers": {"a": Secret("1")}}
    assert diff("RandomString", old, new).changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    ("kind", "inputs", "named"),
    [
        ("RandomPassword", {}, "length is required"),
        ("RandomPassword", {"length": 0}, "length is 0; it must be at least 1"),
        ("RandomPassword", {"length": 3, "minLower": 2, "minUpper": 2}, "the sum of the minimums, 4"),
        ("RandomString", {"length": 3, "lower": False, "upper": False, "number": False, "special": False}, "all false"),
        ("RandomString", {"length": 3, "lenght": 3}, "lenght is not an input; allowed are"),
        ("RandomId", {"byteLength": 0}, "byteLength is 0"),
        ("RandomInteger", {"min": 7, "max": 6}, "min is 7 and max 6"),
        ("RandomShuffle", {}, "inputs is required"),
        ("RandomPet", {"length": 0}, "length is 0"),
    ],
)
def test_impossible_inputs_are_named(kind: str, inputs: dict[str, Any], named: str) -> None:
    reasons = [failure.reason for failure in check(kind, **inputs).failures]
    assert len(reasons) == 1
    assert named in reasons[0]


def test_an_unknown_length_is_judged_when_it_is_known() -> None:
    assert not check("RandomPassword", length=UNKNOWN, minLower=3).failures


def test_check_keeps_secrets_secret_and_drops_what_is_not_an_input_of_anybody() -> None:
    answer = check("RandomString", length=8, keepers=Secret({"a": "1"}), __defaults=[])
    assert not answer.failures
    assert to_python(answer.inputs) == {"length": 8, "keepers": Secret({"a": "1"})}


def test_minimums_and_classes_are_met_every_time() -> None:
    for _ in range(200):
        _, outputs = create(
            "RandomString", length=12, minNumeric=3, minSpecial=2, minUpper=1, lower=False, overrideSpecial="_-"
        )
        result = outputs["result"]
        assert len(result) == 12
        assert sum(character in string.digits for character in result) >= 3
        assert sum(character in "_-" for character in result) >= 2
        assert any(character in string.ascii_uppercase for character in result)
        assert set(result) <= set(string.digits + "_-" + string.ascii_uppercase)


def test_two_are_never_alike() -> None:
    assert len({reveal(create("RandomPassword", length=20)[1]["result"]) for _ in range(20)}) == 20


def test_identities_are_those_of_the_official_provider() -> None:
    assert create("RandomPassword", length=16)[0] == "none"
    for kind in ("RandomString", "RandomUuid"):
        identity, outputs = create(kind, **SOUND[kind])
        assert identity == outputs["result"]
    identity, outputs = create("RandomInteger", min=4, max=4)
    assert (identity, outputs["result"]) == ("4", 4)


def test_an_id_has_every_spelling_of_the_same_bytes() -> None:
    identity, outputs = create("RandomId", byteLength=5, prefix="cell-")
    content = base64.urlsafe_b64decode(identity + "=" * (-len(identity) % 4))
    assert len(content) == 5
    assert outputs["hex"] == "cell-" + content.hex()
    assert outputs["dec"] == f"cell-{int.from_bytes(content, 'big')}"
    assert outputs["b64Url"] == "cell-" + identity


def test_a_pet_has_as_many_words_as_asked_behind_its_prefix() -> None:
    assert create("RandomPet", length=3, prefix="cell", separator="_")[0].count("_") == 3
    assert create("RandomPet")[0].count("-") == 1


def test_uuids_have_their_version() -> None:
    assert uuid.UUID(create("RandomUuid")[0]).version == 4
    seventh = uuid.UUID(create("RandomUuid7")[0])
    assert seventh.version == 7
    assert seventh.variant == uuid.RFC_4122


def test_a_seed_is_repeatable_and_a_long_shuffle_repeats_its_inputs() -> None:
    twice = [create("RandomShuffle", inputs=["a", "b", "c"], seed="x", resultCount=7)[1]["results"] for _ in range(2)]
    assert twice[0] == twice[1]
    assert len(twice[0]) == 7
    assert sorted(twice[0][:3]) == sorted(twice[0][3:6]) == ["a", "b", "c"]


def test_a_refresh_keeps_what_is_in_the_state() -> None:
    identity, outputs = create("RandomPassword", length=12)
    request = provider_pb2.ReadRequest(
        id=identity, urn=urn("RandomPassword"), properties=to_struct(outputs), inputs=to_struct({"length": 12})
    )
    answer = PROVIDER.Read(request, CONTEXT)
    assert answer.id == identity
    assert to_python(answer.properties) == outputs
    assert to_python(answer.inputs) == {"length": 12}


@pytest.mark.parametrize(
    ("kind", "identity", "expected"),
    [
        ("RandomPassword", "s3cret!", {"length": 7, "result": Secret("s3cret!")}),
        ("RandomString", "abcd", {"length": 4, "result": "abcd"}),
        ("RandomId", "cell-,AQID", {"byteLength": 3, "prefix": "cell-", "hex": "cell-010203"}),
        ("RandomInteger", "4,1,6", {"result": 4, "min": 1, "max": 6}),
        ("RandomBytes", "AQID", {"length": 3, "hex": Secret("010203")}),
    ],
)
def test_what_exists_can_be_imported(kind: str, identity: str, expected: dict[str, Any]) -> None:
    answer = PROVIDER.Read(provider_pb2.ReadRequest(id=identity, urn=urn(kind)), CONTEXT)
    outputs = to_python(answer.properties)
    assert expected.items() <= outputs.items()
    inputs = to_python(answer.inputs)
    assert diff(kind, inputs, inputs).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_import_that_cannot_be_says_so() -> None:
    with pytest.raises(InvalidInputError, match="not one of this kind"):
        PROVIDER.Read(provider_pb2.ReadRequest(id="not-a-uuid", urn=urn("RandomUuid")), CONTEXT)
    with pytest.raises(InvalidInputError, match="cannot be imported"):
        PROVIDER.Read(provider_pb2.ReadRequest(id="busy-otter", urn=urn("RandomPet")), CONTEXT)


def test_an_unknown_type_names_those_there_are() -> None:
    with pytest.raises(InvalidInputError, match=r"has no resource .*RandomPrime; it has .*RandomPassword"):
        check("RandomPrime")
