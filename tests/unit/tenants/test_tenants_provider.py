"""The plugin's face towards the engine: Check, Diff, previews, unknowns, secrets, what stays in the state."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.errors import InvalidInputError, PermanentError
from clawstack.plugin_server.values import UNKNOWN, Secret, to_python, to_struct
from tenants.bundles import load_bundle
from tenants.openclaw import build_config
from tenants.process_provider.gateway import GatewayHandler
from tenants.process_provider.handler import (
    Handler,
    InputProblem,
    NotReadyError,
    Properties,
    ReadResource,
    Resource,
    Work,
)
from tenants.process_provider.servicer import ClawstackProvider
from tenants.process_provider.state_directory import StateDirectoryHandler
from tests.unit.tenants.builders import make_spec
from tests.unit.tenants.calls import Aborted, Context

URN = "urn:pulumi:s::p::clawstack:tenants:ProcessCell$clawstack:process:Thing::x"
KIND = provider_pb2.PropertyDiff.Kind


class ThingHandler(Handler):
    """A resource type without a machine behind it."""

    inputs = frozenset({"place", "size", "token"})
    secret_inputs = frozenset({"token"})
    replacing = frozenset({"place"})
    computed = frozenset({"address"})

    def __init__(self) -> None:
        self.checked: Mapping[str, Any] = {}
        self.drifted: frozenset[str] = frozenset()
        self.ready = True

    @override
    def check(self, inputs: Mapping[str, Any]) -> list[InputProblem]:
        self.checked = inputs
        return [InputProblem(property="size", reason="too small")] if inputs.get("size") == 0 else []

    @override
    def drift(self, resource_id: str, inputs: Mapping[str, Any]) -> frozenset[str]:
        return self.drifted

    @override
    def create(self, inputs: Properties, work: Work) -> Resource:
        made = Resource(id="thing-1", properties={**inputs, "address": "here"})
        if not self.ready:
            raise NotReadyError(made, PermanentError("It does not start.", remedy="Read the log."))
        return made

    @override
    def read(self, resource_id: str, inputs: Properties, properties: Properties) -> ReadResource | None:
        return None if resource_id == "gone" else ReadResource(id=resource_id, inputs=inputs, properties=properties)

    @override
    def update(self, resource: Resource, new: Properties, work: Work) -> Resource:
        return self.create(new, work)

    @override
    def delete(self, resource: Resource, work: Work) -> None:
        raise PermanentError("Not today.")


INPUTS: dict[str, Any] = {"place": "a", "size": 1, "token": Secret("planted")}


@pytest.fixture
def handler() -> ThingHandler:
    return ThingHandler()


@pytest.fixture
def provider(handler: ThingHandler) -> ClawstackProvider:
    return ClawstackProvider({"clawstack:process:Thing": handler})


def check(provider: ClawstackProvider, inputs: dict[str, Any]) -> provider_pb2.CheckResponse:
    return provider.Check(provider_pb2.CheckRequest(urn=URN, news=to_struct(inputs)), Context())


def diff(provider: ClawstackProvider, old: dict[str, Any], new: dict[str, Any]) -> provider_pb2.DiffResponse:
    request = provider_pb2.DiffRequest(
        id="thing-1",
        urn=URN,
        olds=to_struct({**old, "address": "here"}),
        old_inputs=to_struct(old),
        news=to_struct(new),
    )
    return provider.Diff(request, Context())


def test_check_names_missing_and_unknown_inputs(provider: ClawstackProvider) -> None:
    assert [failure.property for failure in check(provider, {"place": "a"}).failures] == ["size", "token"]
    assert [failure.property for failure in check(provider, {**INPUTS, "colour": 1}).failures] == ["colour"]
    assert [failure.reason for failure in check(provider, {**INPUTS, "size": 0}).failures] == ["too small"]
    assert not check(provider, INPUTS).failures


def test_check_makes_secret_what_the_program_forgot(provider: ClawstackProvider) -> None:
    answer = to_python(check(provider, {**INPUTS, "token": "planted"}).inputs)
    assert answer["token"] == Secret("planted")


def test_check_judges_only_what_is_known(provider: ClawstackProvider, handler: ThingHandler) -> None:
    assert not check(provider, {**INPUTS, "size": UNKNOWN}).failures
    assert handler.checked == {"place": "a", "token": "planted"}


def test_equal_inputs_are_no_difference_even_when_one_is_secret_and_one_not(provider: ClawstackProvider) -> None:
    assert diff(provider, INPUTS, {**INPUTS, "token": "planted"}).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_update_names_the_property(provider: ClawstackProvider) -> None:
    answer = diff(provider, INPUTS, {**INPUTS, "size": 2})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.diffs) == ["size"]
    assert not answer.replaces
    assert answer.detailedDiff["size"].kind == KIND.UPDATE
    assert answer.hasDetailedDiff


def test_a_replacement_deletes_first(provider: ClawstackProvider) -> None:
    answer = diff(provider, INPUTS, {**INPUTS, "place": "b"})
    assert list(answer.replaces) == ["place"]
    assert answer.deleteBeforeReplace
    assert answer.detailedDiff["place"].kind == KIND.UPDATE_REPLACE


def test_an_unknown_is_a_difference(provider: ClawstackProvider) -> None:
    assert list(diff(provider, INPUTS, {**INPUTS, "size": UNKNOWN}).diffs) == ["size"]


def test_added_and_removed_inputs_are_told_apart(provider: ClawstackProvider) -> None:
    less = {"place": "a", "token": Secret("planted")}
    assert diff(provider, less, INPUTS).detailedDiff["size"].kind == KIND.ADD
    assert diff(provider, INPUTS, less).detailedDiff["size"].kind == KIND.DELETE


def test_drift_of_the_world_is_a_difference_although_inputs_agree(
    provider: ClawstackProvider, handler: ThingHandler
) -> None:
    handler.drifted = frozenset({"size"})
    answer = diff(provider, INPUTS, INPUTS)
    assert list(answer.diffs) == ["size"]
    assert not answer.replaces


def test_a_preview_makes_nothing_and_says_what_is_unknown(provider: ClawstackProvider, handler: ThingHandler) -> None:
    handler.ready = False  # a real create would fail
    request = provider_pb2.CreateRequest(urn=URN, properties=to_struct({**INPUTS, "size": UNKNOWN}), preview=True)
    seen = to_python(provider.Create(request, Context()).properties)
    assert seen == {"place": "a", "size": UNKNOWN, "token": Secret("planted"), "address": UNKNOWN}
    update = provider_pb2.UpdateRequest(
        id="thing-1", urn=URN, olds=to_struct({**INPUTS, "address": "here"}), news=to_struct(INPUTS), preview=True
    )
    assert to_python(provider.Update(update, Context()).properties)["address"] == "here"


def test_secrets_stay_secret_in_what_is_stored(provider: ClawstackProvider) -> None:
    request = provider_pb2.CreateRequest(urn=URN, properties=to_struct({**INPUTS, "token": "planted"}))
    assert to_python(provider.Create(request, Context()).properties)["token"] == Secret("planted")


def test_what_was_made_but_is_not_ready_is_kept_in_the_state(
    provider: ClawstackProvider, handler: ThingHandler
) -> None:
    handler.ready = False
    context = Context()
    with pytest.raises(Aborted, match=r"It does not start\. Read the log\."):
        provider.Create(provider_pb2.CreateRequest(urn=URN, properties=to_struct(INPUTS)), context)
    kept = context.kept_resource()
    assert kept.id == "thing-1"
    assert to_python(kept.properties)["token"] == Secret("planted")
    assert list(kept.reasons) == ["It does not start. Read the log. [permanent:permanent_failure]"]


def test_read_of_something_gone_has_no_id(provider: ClawstackProvider) -> None:
    request = provider_pb2.ReadRequest(id="gone", urn=URN, properties=to_struct(INPUTS), inputs=to_struct(INPUTS))
    assert not provider.Read(request, Context()).id


def test_import_says_what_to_do_instead(provider: ClawstackProvider) -> None:
    with pytest.raises(InvalidInputError, match="cannot be imported") as caught:
        provider.Read(provider_pb2.ReadRequest(id="thing-1", urn=URN), Context())
    assert "adopts" in str(caught.value.remedy)


def test_an_unknown_type_is_named_with_those_that_exist(provider: ClawstackProvider) -> None:
    request = provider_pb2.CheckRequest(urn=URN.replace("Thing", "Gadget"))
    with pytest.raises(InvalidInputError) as caught:
        provider.Check(request, Context())
    assert "clawstack:process:Gadget" in caught.value.message
    assert "clawstack:process:Thing" in str(caught.value.remedy)


def gateway_inputs(**changes: Any) -> dict[str, Any]:
    spec = make_spec()
    config = build_config(spec, load_bundle("parenting"))
    inputs = {
        "uid": 59_999,
        "bindHost": "127.0.0.1",
        "desired": "running",
        "port": spec.port,
        "reaches": ["127.0.0.1:8080"],
        "workspace": {"USER.md": "x"},
        "config": json.dumps(config),
        "secretEnvironment": {"CLAWSTACK_PROXY_TOKEN": "planted-token"},
    }
    return {**inputs, **changes}


@pytest.mark.parametrize(
    ("changes", "property_", "words"),
    [
        ({"bindHost": "0.0.0.0"}, "bindHost", "loopback only"),
        ({"desired": "paused"}, "desired", "running, suspended"),
        ({"workspace": {"../../etc/passwd": "x"}}, "workspace", "persona file"),
        ({"config": "no json"}, "config", "JSON"),
        ({"config": json.dumps({"gateway": {"bind": "lan", "port": 21001}})}, "config", "'loopback'"),
        ({"port": 21002}, "config", "gateway.port"),
        (
            {"config": json.dumps({"gateway": {"bind": "loopback", "port": 21001}, "x": "planted-token"})},
            "config",
            "clear",
        ),
        ({"uid": 0}, "uid", "account of its own"),
    ],
)
def test_a_gateway_that_is_open_or_tells_secrets_is_refused(
    changes: dict[str, Any], property_: str, words: str
) -> None:
    problems = GatewayHandler().check(gateway_inputs(**changes))
    assert [problem.property for problem in problems] == [property_]
    assert words in problems[0].reason
    assert not GatewayHandler().check(gateway_inputs())


def test_a_cell_without_an_account_is_refused_only_where_the_platform_is_root() -> None:
    problems = GatewayHandler().check(gateway_inputs(uid=-1))
    assert bool(problems) == (os.geteuid() == 0)


def test_a_state_directory_must_be_the_cells_own() -> None:
    handler = StateDirectoryHandler()
    paths = {"backups": "/b", "supervisor": "/s", "node": "/n", "openclaw": "/o"}
    assert not handler.check({**paths, "slug": "emma", "root": "/cells/emma"})
    problems = handler.check({**paths, "slug": "emma", "root": "/cells/mia"})
    assert [problem.property for problem in problems] == ["root"]
    problems = handler.check({**paths, "slug": "emma", "root": "cells/emma"})
    assert "not an absolute path" in problems[0].reason
