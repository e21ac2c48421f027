"""clawstack's own services in the cluster: reviewed manifests, the pods, their scaling and their entrance."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi_policy import PolicyCustomTimeouts, PolicyResourceOptions, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.proxy import unknown_checking_proxy

from clawstack.addons import cell_peers
from clawstack.addons.base.workloads import WorkloadRole
from clawstack.addons.workloads.plan import priorities
from clawstack.setting_types import described
from clawstack.settings import Settings, environment_names
from clawstack_policies.kubernetes import pods as pod_rules
from clawstack_policies.pack import POLICIES
from tenants.substrates.namespace import NAMESPACE, namespace_settings
from tests.unit.addons.builders import (
    CELL_IMAGE,
    EXTERNAL_DATABASE,
    IMAGE,
    addon,
    document,
    manifests,
    settings,
    workloads,
)
from tests.unit.namespace.builders import make_settings
from tests.unit.policies.judging import judge

GOLDEN = Path(__file__).parent / "golden" / "workloads.yaml"
ROLES = [role.value for role in WorkloadRole]


def deployment(role: str, **changes: Any) -> dict[str, Any]:
    return document("Deployment", f"clawstack-{role}", settings(workloads=workloads(**changes)))


def pod(role: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = deployment(role, **changes)["spec"]["template"]["spec"]
    return found


def test_manifests_are_those_that_were_reviewed() -> None:
    """`REWRITE_GOLDEN=1 pytest ...` writes them anew; read the difference before it is committed."""
    rendered = yaml.safe_dump_all(
        [manifest.document() for manifest in addon("workloads").manifests()], sort_keys=False, width=120
    )
    if os.environ.get("REWRITE_GOLDEN") == "1":
        GOLDEN.write_text(rendered)
    assert rendered == GOLDEN.read_text()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_its_part_of_the_one_image(role: str) -> None:
    [container] = pod(role)["containers"]
    assert container["image"] == IMAGE
    assert container["command"] + container["args"][:3] == ["clawstack", "serve", "--role", role]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_a_setting_of_the_services(role: str) -> None:
    [container] = pod(role)["containers"]
    named = {entry["name"] for entry in container["env"]} - {"HOME"}
    assert named <= set(environment_names())
    assert container["envFrom"] == [{"secretRef": {"name": "clawstack-environment"}}]


def test_backups_leave_the_cluster_where_a_store_is_named() -> None:
    url = "s3://clawstack-backups/prod?endpoint=https://fsn1.your-objectstorage.com&region=fsn1"
    for role in ROLES:
        [container] = pod(role, backup_url=url)["containers"]
        assert {"name": "CLAWSTACK_BACKUP_URL", "value": url} in container["env"]
        assert "CLAWSTACK_BACKUP_URL" in environment_names()


def test_the_databases_address_comes_from_the_secret_of_whoever_runs_it() -> None:
    def reference(of: Any) -> Any:
        [container] = document("Deployment", "clawstack-api", of)["spec"]["template"]["spec"]["containers"]
        return next(entry for entry in container["env"] if entry["name"] == "CLAWSTACK_DATABASE_URL")["valueFrom"]

    assert reference(settings()) == {"secretKeyRef": {"name": "clawstack-db-app", "key": "uri"}}
    outside = settings(database=EXTERNAL_DATABASE)
    assert reference(outside) == {"secretKeyRef": {"name": "clawstack-database", "key": "uri"}}
    [secret] = [entry for entry in manifests(outside) if entry.name == "clawstack-database"]
    assert secret.secrets() == {"database_url"}
    assert not [entry for entry in manifests(outside) if entry.kind == "Cluster"]


@pytest.mark.parametrize("role", ROLES)
def test_no_variable_that_may_hold_a_password_is_plain(role: str) -> None:
    [container] = pod(role)["containers"]
    references = {entry["name"]: entry["valueFrom"] for entry in container["env"] if "valueFrom" in entry}
    assert references["CLAWSTACK_PULUMI_BACKEND_URL"] == {"secretKeyRef": {"name": "clawstack-state", "key": "url"}}
    plain = {entry["name"] for entry in container["env"] if "value" in entry}
    types = {name: Settings.model_fields[field] for name, field in environment_names().items()}
    assert not {
        name for name in plain & set(types) if "secret" in described(types[name].annotation, types[name].metadata)
    }


@pytest.mark.parametrize("role", ROLES)
def test_selectors_find_the_pods_and_services_find_them_too(role: str) -> None:
    found = deployment(role)
    selector = found["spec"]["selector"]["matchLabels"]
    assert selector.items() <= found["spec"]["template"]["metadata"]["labels"].items()
    assert document("PodDisruptionBudget", f"clawstack-{role}")["spec"]["selector"]["matchLabels"] == selector
    services = [entry.name for entry in manifests() if entry.kind == "Service"]
    assert (f"clawstack-{role}" in services) == (role != "worker")


def test_only_the_worker_holds_a_key_to_the_cluster() -> None:
    for role in ROLES:
        expected = role == "worker"
        assert pod(role)["automountServiceAccountToken"] is expected
        assert document("ServiceAccount", f"clawstack-{role}")["automountServiceAccountToken"] is expected


@pytest.mark.parametrize(
    "rule",
    [
        pod_rules.pods_restricted(),
        pod_rules.pods_off_host(),
        pod_rules.pods_unprivileged(),
        pod_rules.pods_limited(),
        pod_rules.images_pinned(),
        pod_rules.no_api_token(),
    ],
    ids=lambda rule: rule.name,
)
@pytest.mark.parametrize("role", ROLES)
def test_pods_of_the_platform_meet_the_rules_for_pods_of_cells(rule: ResourceValidationPolicy, role: str) -> None:
    """Judged as if it were a cell's. One exemption: the worker's token, without which it could not make cells."""
    judged = judge(rule, deployment(role), type_="kubernetes:apps/v1:Deployment", name=role)
    exempt = rule.name == "pod-forbid-api-token" and role == "worker"
    assert bool(judged) == exempt, judged


@pytest.mark.parametrize(
    "rule", [rule for rule in POLICIES if isinstance(rule, ResourceValidationPolicy)], ids=lambda r: r.name
)
def test_the_whole_pack_lets_the_platforms_objects_pass(rule: ResourceValidationPolicy) -> None:
    for manifest in manifests():
        type_ = f"kubernetes:{manifest.api_version if '/' in manifest.api_version else 'core/v1'}:{manifest.kind}"
        options = PolicyResourceOptions(False, [], False, [], PolicyCustomTimeouts(0, 0, 0), [], None)
        urn = f"urn:pulumi:prod::clawstack::{type_}::{manifest.key()}"
        props = unknown_checking_proxy(copy.deepcopy(manifest.document()))
        found = _judged(rule, ResourceValidationArgs(type_, props, urn, manifest.key(), options, None, {}))
        assert not found, manifest.key()


def _judged(rule: ResourceValidationPolicy, args: ResourceValidationArgs) -> list[str]:
    found: list[str] = []

    def report(text: str, _: str | None = None) -> None:
        found.append(text)

    rule.validate(args, report)
    return found


def test_a_volume_that_one_node_alone_can_mount_keeps_its_users_together() -> None:
    assert deployment("worker")["spec"]["strategy"] == {"type": "Recreate"}
    [beside] = pod("api")["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert beside["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "worker"
    shared = {"backups": {"shared": True}, "worker": {"minimum": 1, "maximum": 4}}
    assert deployment("worker", **shared)["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "affinity" not in pod("api", **shared)
    for kind, modes in (({}, ["ReadWriteOnce"]), (shared, ["ReadWriteMany"])):
        claim = document("PersistentVolumeClaim", "clawstack-backups", settings(workloads=workloads(**kind)))
        assert claim["spec"]["accessModes"] == modes


def test_backups_are_where_the_worker_makes_and_the_api_deletes_them() -> None:
    for role in ROLES:
        [container] = pod(role)["containers"]
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert ("/var/lib/clawstack/backups" in mounts) == (role in {"api", "worker"})
        volumes = {volume["name"] for volume in pod(role)["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


@pytest.mark.parametrize("role", ROLES)
def test_services_grow_with_cpu_and_with_their_own_load(role: str) -> None:
    name = f"clawstack-{role}"
    spec = document("HorizontalPodAutoscaler", name)["spec"]
    assert spec["scaleTargetRef"]["name"] == name
    assert spec["minReplicas"] <= spec["maxReplicas"]
    kinds = [metric["type"] for metric in spec["metrics"]]
    assert kinds == {"api": ["Resource"], "worker": ["Resource", "Pods", "External"]}.get(role, ["Resource", "Pods"])
    plain = document("HorizontalPodAutoscaler", name, settings(workloads=workloads(scale_by_metrics=False)))["spec"]
    assert [metric["type"] for metric in plain["metrics"]] == ["Resource"]
    assert "replicas" not in deployment(role)["spec"], "an update would undo what the autoscaler did"


def test_the_world_reaches_api_and_webhooks_over_tls_and_never_the_metrics() -> None:
    spec = document("Ingress", "clawstack")["spec"]
    [rule] = spec["rules"]
    targets = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert targets == {"/": "clawstack-api", "/webhooks/telegram": "clawstack-router"}
    assert rule["host"] == "app.example.org"
    assert spec["tls"] == [{"hosts": ["app.example.org"], "secretName": "clawstack-tls"}]
    closed = document("Ingress", "clawstack-closed")
    assert [path["path"] for path in closed["spec"]["rules"][0]["http"]["paths"]] == ["/metrics"]
    middleware = closed["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"]
    assert middleware == "clawstack-closed@kubernetescrd"
    assert document("Middleware", "closed")["spec"] == {"ipAllowList": {"sourceRange": ["127.0.0.1/32"]}}


def test_without_a_host_there_is_no_entrance() -> None:
    inside = settings(workloads=workloads(host=None))
    assert not [entry for entry in manifests(inside) if entry.kind == "Ingress"]


@pytest.mark.parametrize("role", ROLES)
def test_the_services_know_their_cluster(role: str, tmp_path: Path) -> None:
    """What the pods are given is complete for the substrate, and the kubeconfig is one that both clients read."""
    variables = {entry["name"]: entry.get("value", "") for entry in pod(role)["containers"][0]["env"]}
    file = tmp_path / "kubeconfig"
    file.write_text(document("ConfigMap", "clawstack-cluster")["data"]["kubeconfig"])
    mounts = {mount["mountPath"]: mount["name"] for mount in pod(role)["containers"][0]["volumeMounts"]}
    assert mounts[str(Path(variables["CLAWSTACK_KUBECONFIG"]).parent)] == "cluster"
    platform = Settings(
        kubeconfig=file,
        cluster=json.loads(variables["CLAWSTACK_CLUSTER"]),
        cluster_platform_url=variables["CLAWSTACK_CLUSTER_PLATFORM_URL"],
        cluster_router_url=variables["CLAWSTACK_CLUSTER_ROUTER_URL"],
    )
    told = namespace_settings(platform)
    assert told.image == CELL_IMAGE
    assert told.storage_class == "clawstack-cells"
    [user] = yaml.safe_load(told.kubeconfig.get_secret_value())["users"]
    assert user["user"] == {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
    services = {entry.name for entry in manifests() if entry.kind == "Service"}
    for url, service in ((NAMESPACE.platform_url, "clawstack-proxy"), (NAMESPACE.router_url, "clawstack-router")):
        assert url(platform) == f"http://{service}.clawstack.svc:8080"
        assert service in services


def test_cells_find_the_platform_where_it_is() -> None:
    """The namespace substrate takes what is said here, and it is what the pods carry."""
    own = settings().workloads
    assert own is not None
    peers = cell_peers(own)
    told = make_settings(**peers)
    for part, role in ((told.proxy.peer, "proxy"), (told.router.peer, "router"), (told.platform, "worker")):
        labels = deployment(role)["spec"]["template"]["metadata"]["labels"]
        assert part.pods.items() <= labels.items()
        assert part.namespace == "clawstack"
    [container] = pod("proxy")["containers"]
    assert told.proxy.ports == (container["ports"][0]["containerPort"],)
    assert set(told.priority_classes.values()) <= set(priorities())
    assert {entry.name for entry in manifests() if entry.kind == "PriorityClass"} == set(priorities())
