"""The plugin's small pieces: ids, names, durations, and what Hetzner's codes become."""

from __future__ import annotations

from typing import Any

import pytest

from clawstack.errors import (
    ClawstackError,
    ConflictError,
    InvalidInputError,
    NeedsAttentionError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)
from clawstack.plugin_server.values import Secret
from toolchain.plugins.hcloud_provider import config
from toolchain.plugins.hcloud_provider.cloud.api import Access
from toolchain.plugins.hcloud_provider.cloud.refusals import error_of, failed_action, refusal_of
from toolchain.plugins.hcloud_provider.cloud.waiting import Polling
from toolchain.plugins.hcloud_provider.kinds.load_balancer_target import LoadBalancerTarget
from toolchain.plugins.hcloud_provider.kinds.network import subnet_of
from toolchain.plugins.hcloud_provider.model.changes import outputs, still_shown
from toolchain.plugins.hcloud_provider.model.naming import camelled, snaked, split_id
from toolchain.plugins.hcloud_provider.model.resource import INTERRUPTED, UNFINISHED, marks
from toolchain.plugins.hcloud_provider.model.shapes import Labels, Plain, flag, labels, many, text

KINDS: list[tuple[int, str, type[ClawstackError]]] = [
    (429, "rate_limit_exceeded", TemporaryError),
    (423, "locked", TemporaryError),
    (409, "conflict", TemporaryError),
    (503, "unavailable", TemporaryError),
    (504, "timeout", TemporaryError),
    (403, "resource_limit_exceeded", NeedsAttentionError),
    (412, "placement_error", TemporaryError),
    (412, "resource_unavailable", TemporaryError),
    (401, "unauthorized", NeedsAttentionError),
    (403, "token_readonly", NeedsAttentionError),
    (409, "a_code_that_hetzner_may_add", NeedsAttentionError),
    (409, "uniqueness_error", ConflictError),
    (403, "protected", ConflictError),
    (422, "invalid_input", InvalidInputError),
    (404, "not_found", NotFoundError),
    (200, "odd", PermanentError),
]


@pytest.mark.parametrize(("status", "code", "kind"), KINDS)
def test_a_code_becomes_a_kind_of_error_with_hetzners_words(status: int, code: str, kind: type[ClawstackError]) -> None:
    answer = {"error": {"code": code, "message": "told by Hetzner", "details": {}}}
    error = error_of(refusal_of(status, answer, reset_in=12.0), "create server one")
    assert type(error) is kind
    assert error.code == f"hetzner_{code}"
    assert error.message.startswith(f"Hetzner refused to create server one ({code}): told by Hetzner.")


def test_the_rate_limit_says_when_to_come_back() -> None:
    error = error_of(refusal_of(429, {}, reset_in=61.0), "look")
    assert isinstance(error, TemporaryError)
    assert error.retry_after == 61.0


def test_the_fields_of_a_bad_value_are_named() -> None:
    fields = [{"name": "size", "messages": ["must be at least 10"]}]
    answer = {"error": {"code": "invalid_input", "message": "bad input", "details": {"fields": fields}}}
    assert "[size: must be at least 10]" in error_of(refusal_of(422, answer), "create volume v").message


@pytest.mark.parametrize(("status", "code"), [(502, "unavailable"), (404, "not_found"), (418, "http_418")])
def test_an_answer_that_is_not_the_apis_own_is_judged_by_its_status(status: int, code: str) -> None:
    assert refusal_of(status, {}).code == code


def test_a_failed_action_is_worth_another_try_unless_its_code_says_otherwise() -> None:
    action: dict[str, Any] = {
        "id": 7,
        "command": "attach_volume",
        "resources": [{"id": 1, "type": "server"}],
        "error": {"code": "action_failed", "message": "Action failed"},
    }
    error = failed_action(action)
    assert isinstance(error, TemporaryError)
    assert "finish attach_volume (action_failed): Action failed (action 7 on server 1)" in error.message
    full = {**action, "error": {"code": "resource_limit_exceeded", "message": "no more"}}
    assert isinstance(failed_action(full), NeedsAttentionError)


@pytest.mark.parametrize(("told", "seconds"), [("500ms", 0.5), ("2s", 2.0), ("1m30s", 90.0), ("1.5h", 5400.0)])
def test_durations_are_those_of_go(told: str, seconds: float) -> None:
    assert config.seconds(told) == seconds


@pytest.mark.parametrize("told", ["", "5", "s", "5 s", "-5s"])
def test_what_is_no_duration_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match=told or "^$"):
        config.seconds(told)


def test_looks_become_rarer_unless_they_shall_not() -> None:
    assert [Polling(interval=0.5).pause(tries) for tries in (0, 1, 2, 9, 999)] == [0.5, 1.0, 2.0, 5.0, 5.0]
    assert Polling(interval=8.0).pause(3) == 8.0
    assert {Polling(interval=0.1, function="constant").pause(tries) for tries in range(9)} == {0.1}


def test_the_token_comes_from_the_configuration_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HCLOUD_TOKEN", "HCLOUD_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NeedsAttentionError, match="There is no API token") as missing:
        config.access({})
    assert "set HCLOUD_TOKEN" in missing.value.sentence()
    monkeypatch.setenv("HCLOUD_TOKEN", "planted")
    assert config.access({}) == Access(endpoint="https://api.hetzner.cloud/v1", token="planted")
    assert config.access({"token": "own", "endpoint": "http://x/v1/"}) == Access(endpoint="http://x/v1", token="own")
    assert "planted" not in repr(config.access({}))


def test_names_are_translated_both_ways() -> None:
    ours = {"stickySessions": True, "http": {"statusCodes": ["2??"], "tls": None}}
    theirs = {"sticky_sessions": True, "http": {"status_codes": ["2??"]}}
    assert snaked(ours) == theirs
    assert camelled(theirs) == {"stickySessions": True, "http": {"statusCodes": ["2??"]}}


def test_ids_of_parts_are_taken_apart() -> None:
    assert split_id("12-10.0.1.0/24", "form") == ("12", "10.0.1.0/24")
    assert subnet_of("12-10.0.1.7/24") == (12, "10.0.1.0/24")
    for wrong in ("12", "-x", "12-", ""):
        with pytest.raises(InvalidInputError, match="is no such id"):
            split_id(wrong, "<a>-<b>")
    with pytest.raises(NotFoundError, match="no subnet's id"):
        subnet_of("net-10.0.1.0/24")


def test_a_target_is_called_by_what_it_is() -> None:
    target = LoadBalancerTarget()
    assert target.label({"type": "server", "serverId": 4, "loadBalancerId": 9}) == "target 4 of load balancer 9"


def test_marks_are_the_labels_that_say_whose_an_object_is() -> None:
    own = {"clawstack.dev/tenant": "anna", "app.kubernetes.io/managed-by": "clawstack"}
    assert marks({**own, "extra": "x", UNFINISHED: "1", INTERRUPTED: "true"}) == own
    assert marks({"app.kubernetes.io/managed-by": "clawstack"}) == {}
    assert marks({UNFINISHED: "1"}) == {}
    assert marks({"clawstack.dev/tenant": "anna"}) != marks(own)


def test_a_refreshed_wish_shows_what_changed_and_keeps_what_no_api_tells() -> None:
    fields = {
        "labels": labels(),
        "size": text(),
        "place": text(computed=True),
        "data": text(readable=False),
        "on": flag(default=False),
        "keys": many(Plain.TEXT),
    }
    wish = {"size": "s", "data": Secret("d"), "on": False, "keys": ["b", "a"]}
    live = {"size": "s", "place": "here", "labels": {"a": "b"}, "on": True, "keys": ["a", "b"]}
    assert still_shown(fields, wish, live) == {**wish, "labels": {"a": "b"}, "on": True}
    assert still_shown(fields, {**wish, "size": Secret("other")}, live)["size"] == Secret("s")


def test_outputs_are_secret_where_the_wish_was_or_the_kind_says_so() -> None:
    fields = {"a": text(secret=True), "b": text(), "c": text()}
    told = outputs(fields, {"b": Secret("x"), "c": "z"}, {"a": "y", "b": "digest", "d": 1})
    assert told == {"a": Secret("y"), "b": Secret("digest"), "c": "z", "d": 1}
    assert outputs({"l": labels()}, {}, {"l": {}}) == {"l": {}}
    assert isinstance(labels().shape, Labels)
