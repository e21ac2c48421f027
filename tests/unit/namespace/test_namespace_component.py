"""The Pulumi resources of a namespace cell, declared against a mocked engine: what it is asked, word by word."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks as pulumi_mocks
from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import Secret, reveal, to_python
from clawstack.settings import Settings
from services.cells.substrates.installation import installation_of
from tenants.namespace.component import NamespaceBuilder
from tenants.namespace.plan import NamespacePlan, build_plan
from tenants.program import cell_program
from tenants.substrates.registry import builder_of
from tests.mock_engine import run_program
from tests.unit.namespace.builders import PLANTED_KUBECONFIG, TODAY, cell, make_settings, plan_of
from tests.unit.tenants.builders import make_spec

SLUG = "emma-parent-x7k2mq"
ROUTE = {
    "gateway": "public",
    "gateway_namespace": "ingress",
    "domain": "cells.example.org",
    "proxy": {"namespace": "ingress", "pods": {"app": "envoy"}},
}


class Echo(pulumi_mocks.Mocks):
    """Every resource becomes what it was asked to be."""

    @override
    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    @override
    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"no function is needed: {args.token}")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The requests that the engine got, by name of the resource."""
    seen: dict[str, Any] = {}
    register: Any = pulumi_mocks.MockMonitor.RegisterResource

    def remember(self: pulumi_mocks.MockMonitor, request: Any) -> Any:
        seen[request.name] = request
        return register(self, request)

    monkeypatch.setattr(pulumi_mocks.MockMonitor, "RegisterResource", remember)
    return seen


def declare(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[list[str], dict[str, Any]]:
    """URNs and stack outputs."""
    exported: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    program = cell_program(cell(), NamespaceBuilder(make_settings(**settings)))

    async def to_its_end() -> None:
        program()
        for name, value in exported.items():
            exported[name] = await value.future() if isinstance(value, pulumi.Output) else value

    urns = run_program(to_its_end, Echo(), project="clawstack-cells", stack=SLUG)
    return urns, exported


def test_what_the_engine_gets_is_the_plan(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    declare(monkeypatch, route=ROUTE)
    plan = plan_of_today()
    for manifest in plan.manifests:
        got = reveal(to_python(requests[f"{SLUG}-{manifest.name}"].object))
        assert got == manifest.document()
    # The stack itself is registered once a process, by whichever test comes first.
    ours = [request for request in requests.values() if request.type != "pulumi:pulumi:Stack"]
    assert len(ours) == len(plan.manifests) + 2, "besides: component, provider"


def plan_of_today() -> NamespacePlan:
    return build_plan(cell(), make_settings(route=ROUTE), today=datetime.now(UTC).date())


def test_types_are_those_of_the_official_provider_and_everything_lies_below_the_component(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    urns, _ = declare(monkeypatch, route=ROUTE)
    types = {request.type for request in requests.values()}
    assert {
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:apps/v1:StatefulSet",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
        "pulumi:providers:kubernetes",
    } <= types
    below = [urn for urn in urns if "clawstack:tenants:NamespaceCell$" in urn]
    assert len(below) == len(urns) - 1, "all but the component itself"


def test_secrets_are_marked_and_nothing_else_of_them_goes_to_the_engine(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch)
    for name in ("secret-tokens", "secret-workspace"):
        assert isinstance(to_python(requests[f"{SLUG}-{name}"].object)["data"], Secret)
    provider = to_python(requests[f"{SLUG}-cluster"].object)
    assert isinstance(provider["kubeconfig"], Secret)
    assert reveal(provider["kubeconfig"]) == PLANTED_KUBECONFIG
    assert provider["clusterIdentifier"] == "test-1"
    # Booleans of a provider travel as JSON text.
    flags = ("enableServerSideApply", "enablePatchForce", "enableConfigMapMutable", "enableSecretMutable")
    assert {provider[flag] for flag in flags} == {"true"}
    for name, request in requests.items():
        unmarked = json.dumps(_without_secrets(to_python(request.object)))
        assert "planted" not in unmarked, name


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Secret):
        return None
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def test_the_explicit_provider_is_used_and_the_contents_go_with_their_namespace(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch)
    namespace = f"{SLUG}-namespace"
    provider = f"pulumi:providers:kubernetes::{SLUG}-cluster"
    contents = [request for request in requests.values() if request.type.startswith("kubernetes:")]
    assert len(contents) == 12
    for request in contents:
        assert provider in request.provider
        if not request.type.endswith(":Namespace"):
            alone = request.type.endswith((":StatefulSet", ":PersistentVolumeClaim"))
            assert request.deletedWith.endswith("" if alone else f"::{namespace}")
            assert bool(request.deletedWith) != alone
            assert any(urn.endswith(f"::{namespace}") for urn in request.dependencies)


def test_what_a_killed_run_made_may_be_taken_over(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    declare(monkeypatch)
    assert dict(requests[f"{SLUG}-cluster"].object)["upsertExistingObjects"] == "true"


def test_no_deletion_is_waited_for_longer_than_it_may_take(
    monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]
) -> None:
    declare(monkeypatch)
    waits = {name: request.customTimeouts.delete for name, request in requests.items() if request.custom}
    provider = waits.pop(f"{SLUG}-cluster")
    assert (provider, set(waits.values())) == ("", {"90s"})


def test_the_pod_comes_after_its_walls(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    declare(monkeypatch)
    pods = requests[f"{SLUG}-statefulset-gateway"]
    before = {urn.split("::")[-1] for urn in pods.dependencies}
    walls = ("networkpolicy-default-deny", "networkpolicy-gateway-rules", "resourcequota-quota", "secret-tokens")
    assert {f"{SLUG}-{wall}" for wall in walls} <= before


def test_outputs_tell_where_the_cell_is(monkeypatch: pytest.MonkeyPatch, requests: dict[str, Any]) -> None:
    _, exported = declare(monkeypatch)
    assert exported == {
        "endpoint": f"http://gateway.cell-{SLUG}.svc:18789",
        "stateDirectory": f"cell-{SLUG}/state:/cell/{SLUG}/state",
        "openclawVersion": "2026.9.6",
        "substrate": "namespace",
        "pid": 0,
    }


def test_without_a_cluster_the_substrate_is_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidInputError, match="'namespace'") as refused:
        builder_of("namespace", installation_of(Settings(_env_file=None)))
    assert refused.value.remedy == (
        "Choose one of: process. To use namespaces, set CLAWSTACK_KUBECONFIG and CLAWSTACK_CLUSTER."
    )
    with pytest.raises(InvalidInputError) as refused:
        builder_of("server", installation_of(Settings(_env_file=None, kubeconfig=Path("kubeconfig"))))
    assert refused.value.remedy == (
        "Choose one of: process, namespace. To use servers, set CLAWSTACK_SERVERS and CLAWSTACK_HCLOUD_TOKEN."
    )


def test_a_cell_for_another_substrate_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="not for a namespace"):
        NamespaceBuilder(make_settings()).build(make_spec(), today=TODAY)


def test_the_builder_gives_the_pure_plan() -> None:
    assert NamespaceBuilder(make_settings()).build(cell(), today=TODAY) == plan_of()
