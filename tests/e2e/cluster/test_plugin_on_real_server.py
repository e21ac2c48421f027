"""The offline kubernetes plugin against a real API server: what the small one of the other tests says must hold here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import InvalidInputError, TemporaryError
from clawstack.plugin_server.values import reveal, to_python, to_struct
from tests.e2e.cluster.pods import shell_pod
from tests.e2e.cluster_fixture import Hand
from tests.integration.kubernetes_plugin.test_kubernetes_plugin_protocol import (
    CONTEXT,
    create,
    delete,
    read,
    update,
    urn,
)
from tests.unit.namespace.builders import cell, plan_of
from tests.waiting import patient
from toolchain.cluster.running import TestCluster
from toolchain.plugins.kubernetes_provider.provider import KubernetesProvider

DIFF = provider_pb2.DiffResponse
Props = dict[str, Any]


@pytest.fixture
def provider(test_cluster: TestCluster) -> Iterator[KubernetesProvider]:
    made = configured(test_cluster, upsertExistingObjects="true")  # as this project's programs have it
    yield made
    made.close()


@pytest.fixture
def refusing(test_cluster: TestCluster) -> Iterator[KubernetesProvider]:
    made = configured(test_cluster)
    yield made
    made.close()


@pytest.fixture
def forcing(test_cluster: TestCluster) -> Iterator[KubernetesProvider]:
    made = configured(test_cluster, enablePatchForce="true", upsertExistingObjects="true")
    yield made
    made.close()


def configured(cluster: TestCluster, **config: Any) -> KubernetesProvider:
    made = KubernetesProvider(version="4.34.2")
    arguments = to_struct({"kubeconfig": cluster.kubeconfig.read_text(), **config})
    made.Configure(provider_pb2.ConfigureRequest(args=arguments), CONTEXT)
    return made


def diff(provider: KubernetesProvider, old: Props, new: Props) -> DIFF:
    request = provider_pb2.DiffRequest(urn=urn(new), id="x", old_inputs=to_struct(old), news=to_struct(new))
    return provider.Diff(request, CONTEXT)


def seen(provider: KubernetesProvider, props: Props) -> Any:
    """The wish as the live object shows it."""
    metadata = props["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return reveal(to_python(read(provider, props, f"{place}{metadata['name']}").inputs))


def config_map(namespace: str, **data: str) -> Props:
    metadata = {"name": "settings", "namespace": namespace, "labels": {"a": "b"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"key": "value"}}


def stateful_set(cluster: TestCluster, namespace: str) -> Props:
    pod = shell_pod(cluster, namespace, "work", "sleep 600")
    labels = {"app": "work"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "work", "namespace": namespace},
        "spec": {
            "serviceName": "work",
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {**pod["spec"], "restartPolicy": "Always"}},
        },
    }


@pytest.mark.parametrize("plan", ["starter", "business"])
def test_a_whole_cell_shows_no_drift_after_it_was_made(
    kubectl: Hand, provider: KubernetesProvider, test_cluster: TestCluster, plan: str
) -> None:
    """What the server adds and rewrites (defaults, quantities, encodings) is nobody's change."""
    documents = plan_of(cell(plan=plan, desired="suspended"), image=test_cluster.image).documents()
    classes = {document["metadata"]["name"] for document in documents if document["kind"] == "PriorityClass"}
    assert not classes, "a cell makes nothing cluster-wide but its namespace"
    try:
        for document in documents:
            create(provider, document)
        assert {document["kind"]: seen(provider, document) for document in documents} == {
            document["kind"]: document for document in documents
        }
        for document in documents:
            assert diff(provider, seen(provider, document), document).changes == DIFF.DIFF_NONE
            update(provider, document, document)
    finally:
        delete(provider, documents[0], timeout=90)
    assert kubectl.get("namespace", documents[0]["metadata"]["name"]) is None


def test_a_create_can_be_repeated_and_an_update_lets_go(
    kubectl: Hand, provider: KubernetesProvider, namespace: str
) -> None:
    wish = config_map(namespace, key="value", other="x")
    create(provider, wish)
    first = kubectl.get("configmap", "settings", "-n", namespace) or {}
    create(provider, wish)
    update(provider, wish, config_map(namespace, key="changed"))
    live = kubectl.get("configmap", "settings", "-n", namespace) or {}
    assert live["metadata"]["uid"] == first["metadata"]["uid"]
    assert live["data"] == {"key": "changed"}


def test_an_object_that_is_there_is_refused_unless_it_may_be_taken_over(
    kubectl: Hand, refusing: KubernetesProvider, namespace: str
) -> None:
    create(refusing, config_map(namespace, key="value"))
    with pytest.raises(InvalidInputError) as refused:
        create(refusing, config_map(namespace, key="changed"))
    assert 'configmaps "settings" already exists' in refused.value.message
    live = kubectl.get("configmap", "settings", "-n", namespace) or {}
    assert live["data"] == {"key": "value"}


def test_an_edit_by_hand_is_seen_refused_and_repaired_by_force(
    kubectl: Hand, provider: KubernetesProvider, forcing: KubernetesProvider, namespace: str
) -> None:
    wish = config_map(namespace)
    create(provider, wish)
    kubectl("label", "configmap", "settings", "a=edited", "--overwrite", "-n", namespace)
    kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"data": {"key": "edited", "extra": "x"}}')
    shown = seen(provider, wish)
    assert shown["metadata"]["labels"] == {"a": "edited"}
    assert shown["data"] == {"key": "edited"}
    assert diff(provider, shown, wish).changes == DIFF.DIFF_SOME
    with pytest.raises(InvalidInputError) as refused:
        update(provider, wish, wish)
    assert f"ConfigMap {namespace}/settings (409 Conflict)" in refused.value.message
    assert '.metadata.labels.a: conflict with "kubectl-label" using v1' in refused.value.message
    assert '.data.key: conflict with "kubectl-patch" using v1' in refused.value.message
    update(forcing, wish, wish)
    live = kubectl.get("configmap", "settings", "-n", namespace) or {}
    assert live["metadata"]["labels"] == {"a": "b"}
    assert live["data"] == {"key": "value", "extra": "x"}, "what nobody wished is nobody's business"


def test_what_somebody_deleted_is_reported_as_gone(kubectl: Hand, provider: KubernetesProvider, namespace: str) -> None:
    wish = config_map(namespace)
    create(provider, wish)
    kubectl("delete", "configmap", "settings", "-n", namespace)
    assert read(provider, wish, f"{namespace}/settings").id == ""


def test_a_delete_waits_until_pods_and_namespace_are_gone(
    kubectl: Hand, provider: KubernetesProvider, test_cluster: TestCluster
) -> None:
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test-delete"}}
    create(provider, home)
    kubectl.await_(lambda: kubectl.get("serviceaccount", "default", "-n", "test-delete"), "the namespace's account")
    create(provider, shell_pod(test_cluster, "test-delete", "sleeper", "sleep 600"))
    kubectl.await_phase("test-delete", "sleeper", "Running")
    delete(provider, home, timeout=90)
    assert kubectl.get("namespace", "test-delete") is None
    delete(provider, home)


def test_a_delete_that_is_held_up_says_by_whom(kubectl: Hand, provider: KubernetesProvider, namespace: str) -> None:
    wish = config_map(namespace)
    create(provider, wish)
    kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"metadata": {"finalizers": ["x.test/hold"]}}')
    began = time.monotonic()
    with pytest.raises(TemporaryError, match=r"is still being deleted.*finalizer x\.test/hold"):
        delete(provider, wish, timeout=1)
    assert time.monotonic() - began < patient(10)
    kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"metadata": {"finalizers": null}}')
    delete(provider, wish, timeout=20)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"serviceName": "other"}, "spec.serviceName"),
        ({"selector": {"matchLabels": {"app": "work", "more": "x"}}}, "spec.selector.matchLabels.more"),
        ({"podManagementPolicy": "Parallel"}, "spec.podManagementPolicy"),
    ],
)
def test_what_the_server_refuses_to_change_is_replaced(
    provider: KubernetesProvider, test_cluster: TestCluster, namespace: str, change: Props, path: str
) -> None:
    old = stateful_set(test_cluster, namespace)
    new = {**old, "spec": {**old["spec"], **change}}
    if "selector" in change:
        new["spec"]["template"] = {**old["spec"]["template"], "metadata": {"labels": change["selector"]["matchLabels"]}}
    create(provider, old)
    judged = diff(provider, old, new)
    assert path in list(judged.replaces)
    assert judged.deleteBeforeReplace
    with pytest.raises(InvalidInputError) as refused:
        update(provider, old, new)
    assert f"StatefulSet {namespace}/work (422 Invalid)" in refused.value.message
    assert "Forbidden: updates to statefulset spec for fields other than" in refused.value.message
    delete(provider, old, timeout=30)
    create(provider, new)
    assert diff(provider, seen(provider, new), new).changes == DIFF.DIFF_NONE


@pytest.mark.parametrize("path", ["replicas", "minReadySeconds", "revisionHistoryLimit"])
def test_what_the_server_lets_change_is_not_replaced(
    provider: KubernetesProvider, test_cluster: TestCluster, namespace: str, path: str
) -> None:
    old = stateful_set(test_cluster, namespace)
    new = {**old, "spec": {**old["spec"], path: 1 if path != "replicas" else 0, "minReadySeconds": 2}}
    create(provider, old)
    judged = diff(provider, old, new)
    assert judged.changes == DIFF.DIFF_SOME
    assert list(judged.replaces) == []
    update(provider, old, new)


def test_a_refusal_is_passed_on_in_full(provider: KubernetesProvider, namespace: str) -> None:
    ports = [{"port": 70000, "targetPort": "no_name"}]
    wish = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "bad", "namespace": namespace},
        "spec": {"selector": {"a": "b"}, "ports": ports},
    }
    with pytest.raises(InvalidInputError) as refused:
        create(provider, wish)
    assert refused.value.message.startswith(
        f"The API server refused to apply Service {namespace}/bad (422 Invalid): "
        'Service "bad" is invalid: [spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive, '
    )
    assert 'spec.ports[0].targetPort: Invalid value: "no_name"' in refused.value.message


def test_a_namespace_that_is_not_there_is_a_sentence(provider: KubernetesProvider) -> None:
    with pytest.raises(InvalidInputError, match='namespaces "test-nowhere" not found'):
        create(provider, config_map("test-nowhere"))


def test_a_field_that_does_not_exist_is_refused(provider: KubernetesProvider, namespace: str) -> None:
    wish = {**config_map(namespace), "datta": {"key": "value"}}
    with pytest.raises(InvalidInputError, match=r"\.datta: field not declared in schema"):
        create(provider, wish)


def test_an_api_server_that_was_away_is_asked_again(
    provider: KubernetesProvider, test_cluster: TestCluster, namespace: str
) -> None:
    create(provider, config_map(namespace))
    test_cluster.restart("kube-apiserver")
    assert seen(provider, config_map(namespace)) == config_map(namespace), "the kept connection was cut"
