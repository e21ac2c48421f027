"""The Pulumi resources of the add-ons, declared against a mocked engine: what it is asked, and what is secret."""

from __future__ import annotations

import base64
import json
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi.runtime import mocks as pulumi_mocks
from typing_extensions import override

from clawstack.addons import AddonsSettings, build_addons
from clawstack.addons.component import Addons, AddonSecrets
from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import Secret, reveal, to_python
from tests.mock_engine import run_program
from tests.unit.addons.builders import SWITCHES, manifests, settings, small
from tests.unit.k3s.clusters import AGENT_TOKEN

PLANTED: dict[str, Any] = {
    "hcloud_token": "planted-hcloud-token",
    "agent_token": AGENT_TOKEN,
    "snapshot_access_key": "planted-access-key",
    "snapshot_secret_key": "planted-secret-key",
    "environment": {"CLAWSTACK_MASTER_KEY": "planted-master-key"},
    "database_url": "postgresql://clawstack:planted@10.0.9.4/clawstack",
    "pulumi_backend_url": "postgres://state:planted@10.0.9.4/state",
}


class Engine(pulumi_mocks.Mocks):
    """Every resource becomes what it was asked to be; passwords get a value."""

    @override
    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        made = (
            {"result": "planted-grafana-password"} if args.typ == "random:index/randomPassword:RandomPassword" else {}
        )
        return f"{args.name}-id", {**args.inputs, **made}

    @override
    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"no function is needed: {args.token}")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The requests that the engine got, by name of the resource."""
    seen: dict[str, Any] = {}
    register: Any = pulumi_mocks.MockMonitor.RegisterResource

    def remember(self: pulumi_mocks.MockMonitor, request: Any) -> Any:
        assert request.name not in seen, f"{request.name} is declared twice"
        seen[request.name] = request
        return register(self, request)

    monkeypatch.setattr(pulumi_mocks.MockMonitor, "RegisterResource", remember)
    return seen


def declare(of: AddonsSettings, secrets: dict[str, Any] | None = None) -> list[str]:
    def program() -> None:
        provider = kubernetes.Provider("cluster", kubeconfig="kind: Config")
        given = AddonSecrets(**(PLANTED if secrets is None else secrets))
        # An option of the caller that children must not get.
        opts = pulumi.ResourceOptions(ignore_changes=["values"], delete_before_replace=True)
        Addons("prod", of, provider=provider, secrets=given, opts=opts)

    return run_program(program, Engine(), project="clawstack", stack="prod")


def kubernetes_requests(requests: dict[str, Any]) -> dict[str, Any]:
    return {name: request for name, request in requests.items() if request.type.startswith("kubernetes:")}


def test_what_the_engine_gets_is_the_plan(requests: dict[str, Any]) -> None:
    declare(settings())
    objects = {request.name: to_python(request.object) for request in kubernetes_requests(requests).values()}
    for entry in build_addons(settings()):
        for manifest in entry.manifests():
            got = reveal(objects[f"prod-{entry.key}-{manifest.key()}"])
            got.pop("data", None) if manifest.kind == "Secret" else None
            assert got == manifest.document(), manifest.key()
        for chart in entry.charts:
            release = reveal(objects[f"prod-{entry.key}-{chart.name}"])
            assert (release["chart"], release["version"]) == (chart.chart, chart.version)
            assert release["repositoryOpts"] == {"repo": chart.repo}
            assert release["values"] == dict(chart.values)
            assert release["name"] == chart.name, "a name of its own choosing would make a second release"
            assert release["timeout"] == 600


def test_everything_lies_below_its_add_on_and_uses_the_one_provider(requests: dict[str, Any]) -> None:
    urns = declare(settings())
    for name, request in kubernetes_requests(requests).items():
        assert request.parent.split("::")[-1].startswith("prod-"), name
        assert "clawstack:addons:Addon" in request.parent
        assert "pulumi:providers:kubernetes::cluster" in request.provider or "cluster" in str(
            dict(request.providers)
        ), name
        assert not request.ignoreChanges, "options of the caller are the caller's"
        assert not request.deleteBeforeReplace, name
    addons = [request for request in requests.values() if request.type == "clawstack:addons:Addon"]
    assert len(addons) == len(SWITCHES)
    assert all(request.parent.endswith("clawstack:addons:Addons::prod") for request in addons)
    assert len(set(urns)) == len(urns)


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_add_on_can_be_left_out(switch: str, requests: dict[str, Any]) -> None:
    dependents = {
        "cloud_controller": {"storage": None, "ingress": None, "certificates": None, "workloads": None},
        "database": {"workloads": None},
        "ingress": {"workloads": None},
        "certificates": {"workloads": None},
        "monitoring": {"workloads": None},
    }
    of = settings(**{switch: None, **dependents.get(switch, {})})
    declare(of)
    made = {request.name for request in requests.values() if request.type == "clawstack:addons:Addon"}
    assert made == {f"prod-{entry.key}" for entry in build_addons(of)}


def test_with_everything_off_there_is_only_the_component(requests: dict[str, Any]) -> None:
    declare(small(), {})
    assert set(requests) - {"clawstack-prod"} == {"prod", "cluster"}


def test_secrets_are_marked_and_nothing_else_of_them_goes_to_the_engine(requests: dict[str, Any]) -> None:
    declare(settings())
    secrets = [entry for entry in manifests() if entry.kind == "Secret"]
    assert len(secrets) >= 5
    for entry in build_addons(settings()):
        for manifest in entry.manifests():
            if manifest.kind == "Secret":
                got = to_python(requests[f"prod-{entry.key}-{manifest.key()}"].object)
                assert isinstance(got["data"], Secret)
    for name, request in requests.items():
        unmarked = json.dumps(_without_secrets(to_python(request.object)))
        encoded = [base64.b64encode(word.encode()).decode().rstrip("=")[:-1] for word in ("planted", "Planted")]
        assert not [word for word in ("planted", "Planted", *encoded) if word in unmarked], name


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Secret):
        return None
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def test_secrets_are_marked_at_the_door_and_not_only_by_the_sdk() -> None:
    marks: dict[str, bool] = {}

    async def program() -> None:
        provider = kubernetes.Provider("cluster", kubeconfig="kind: Config")
        addons = Addons("prod", settings(), provider=provider, secrets=AddonSecrets(**PLANTED))
        for name, value in addons._known(settings(), AddonSecrets(**PLANTED)).items():
            marks[name] = await value.is_secret()

    run_program(program, Engine(), project="clawstack", stack="prod")
    assert len(marks) >= 7
    assert all(marks.values()), marks


def data_of(requests: dict[str, Any], name: str) -> dict[str, str]:
    data = reveal(to_python(requests[name].object))["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_secrets_hold_what_was_given(requests: dict[str, Any]) -> None:
    declare(settings())
    assert data_of(requests, "prod-cloud-controller-kube-system-secret-hcloud") == {
        "token": "planted-hcloud-token",
        "network": "prod",
    }
    environment = data_of(requests, "prod-workloads-clawstack-secret-clawstack-environment")
    assert environment == PLANTED["environment"]
    state = data_of(requests, "prod-workloads-clawstack-secret-clawstack-state")
    assert state == {"url": "postgres://state:planted@10.0.9.4/state"}
    snapshots = data_of(requests, "prod-snapshots-kube-system-secret-k3s-etcd-snapshot-s3-config")
    assert snapshots["etcd-s3-secret-key"] == "planted-secret-key"
    assert snapshots["etcd-s3-bucket"] == "clawstack-etcd"
    pools = data_of(requests, "prod-autoscaler-kube-system-secret-cluster-autoscaler-config")
    assert AGENT_TOKEN in json.loads(pools["config.json"])["nodeConfigs"]["tenants"]["cloudInit"]
    grafana = data_of(requests, "prod-monitoring-monitoring-secret-grafana-admin")
    assert grafana == {"admin-user": "admin", "admin-password": "planted-grafana-password"}


@pytest.mark.parametrize("protected", [True, False])
def test_the_passphrase_of_cells_volumes_is_kept_as_long_as_the_cluster_is(
    requests: dict[str, Any], *, protected: bool
) -> None:
    declare(settings(protection=protected))
    assert requests["prod-cells-volumes"].protect is protected
    assert not requests["prod-grafana"].protect
    assert to_python(requests["prod-cells-volumes"].object)["length"] == 64


@pytest.mark.parametrize(
    ("missing", "addon"),
    [
        ("hcloud_token", "cloud-controller"),
        ("agent_token", "autoscaler"),
        ("snapshot_secret_key", "snapshots"),
        ("environment", "workloads"),
        ("pulumi_backend_url", "workloads"),
    ],
)
def test_a_secret_that_is_missing_is_told_before_anything_is_made(
    missing: str, addon: str, requests: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        declare(settings(), {name: value for name, value in PLANTED.items() if name != missing})
    assert f"The add-on {addon} needs" in refused.value.message
    assert not kubernetes_requests(requests)


def before(requests: dict[str, Any], name: str) -> set[str]:
    return {urn.split("::")[-1] for urn in requests[name].dependencies}


def test_what_runs_comes_after_its_namespace_and_its_walls(requests: dict[str, Any]) -> None:
    declare(settings())
    walls = before(requests, "prod-workloads-clawstack-deployment-clawstack-proxy")
    assert "prod-workloads-clawstack-networkpolicy-default-deny" in walls
    assert "prod-workloads-namespace-clawstack" in walls
    assert "prod-certificates-namespace-cert-manager" in before(requests, "prod-certificates-cert-manager")


def test_objects_of_kinds_that_a_chart_brings_come_after_the_chart(requests: dict[str, Any]) -> None:
    declare(settings())
    assert "prod-certificates-cert-manager" in before(requests, "prod-certificates-clusterissuer-letsencrypt")
    rules = before(requests, "prod-monitoring-monitoring-prometheusrule-clawstack-services")
    assert "prod-monitoring-kube-prometheus-stack" in rules


def test_kinds_come_before_the_chart_that_uses_them(requests: dict[str, Any]) -> None:
    declare(settings())
    assert "prod-ingress-gateway-kinds" in before(requests, "prod-ingress-traefik")


def test_an_add_on_waits_for_those_that_it_needs(requests: dict[str, Any]) -> None:
    declare(settings())
    waits = before(requests, "prod-storage-hcloud-csi")
    assert "prod-cloud-controller-hcloud-cloud-controller-manager" in waits
    assert "prod-database-cloudnative-pg" in before(requests, "prod-workloads-namespace-clawstack")
