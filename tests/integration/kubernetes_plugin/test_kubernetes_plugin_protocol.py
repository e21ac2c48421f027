"""The offline kubernetes plugin between the engine's calls and an API server; true of the official plugin as well."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import InvalidInputError, TemporaryError
from clawstack.plugin_server.values import UNKNOWN, Secret, reveal, to_python, to_struct
from tests.integration.kubernetes_plugin.fake_api import Cluster, serve, status
from tests.waiting import patient
from toolchain.plugins.kubernetes_provider.provider import KubernetesProvider

CONTEXT: grpc.ServicerContext = None  # type: ignore[assignment] # no handler of this provider uses it
NAMESPACE: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cell-anna"}}
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "state", "namespace": "cell-anna", "labels": {"a": "b"}},
    "spec": {"resources": {"requests": {"storage": "2048Mi"}}, "accessModes": ["ReadWriteOnce"]},
}
CLAIM_PATH = "/api/v1/namespaces/cell-anna/persistentvolumeclaims/state"
GROUPS = {"v1": "core/v1"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    for made in serve(Cluster()):
        yield made
        for client in made.clients:
            client.close()


@pytest.fixture
def provider(cluster: Cluster) -> KubernetesProvider:
    return configured(cluster, upsertExistingObjects="true")  # as this project's programs have it


def kubeconfig(cluster: Cluster) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{cluster.port}"}}],
            "users": [{"name": "u", "user": {"token": "planted-token"}}],
        }
    )


def configured(cluster: Cluster, **config: Any) -> KubernetesProvider:
    made = KubernetesProvider(version="4.34.2")
    cluster.clients.append(made)
    arguments = to_struct({"kubeconfig": Secret(kubeconfig(cluster)), **config})
    made.Configure(provider_pb2.ConfigureRequest(args=arguments), CONTEXT)
    return made


def urn(props: dict[str, Any], name: str = "it") -> str:
    group = GROUPS.get(props["apiVersion"], props["apiVersion"])
    return f"urn:pulumi:anna::cells::clawstack:tenants:NamespaceCell$kubernetes:{group}:{props['kind']}::{name}"


def create(provider: KubernetesProvider, props: dict[str, Any], *, preview: bool = False) -> tuple[str, dict[str, Any]]:
    request = provider_pb2.CreateRequest(urn=urn(props), properties=to_struct(props), preview=preview)
    answer = provider.Create(request, CONTEXT)
    return answer.id, to_python(answer.properties)


def update(provider: KubernetesProvider, old: dict[str, Any], new: dict[str, Any], *, preview: bool = False) -> Any:
    request = provider_pb2.UpdateRequest(
        urn=urn(new),
        id="cell-anna/state",
        olds=to_struct(old),
        old_inputs=to_struct(old),
        news=to_struct(new),
        preview=preview,
    )
    return to_python(provider.Update(request, CONTEXT).properties)


def read(provider: KubernetesProvider, props: dict[str, Any], id_: str, *, known: bool = True) -> Any:
    inputs = to_struct(props) if known else None
    return provider.Read(provider_pb2.ReadRequest(urn=urn(props), id=id_, inputs=inputs), CONTEXT)


def delete(provider: KubernetesProvider, props: dict[str, Any], *, timeout: float = 0) -> None:
    request = provider_pb2.DeleteRequest(
        urn=urn(props), id="x", properties=to_struct(props), old_inputs=to_struct(props), timeout=timeout
    )
    provider.Delete(request, CONTEXT)


def test_a_create_applies_the_wish_and_tells_what_became_of_it(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    identity, outputs = create(provider, CLAIM)
    assert identity == "cell-anna/state"
    assert outputs["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert outputs["status"] == {"seen": True}
    assert "managedFields" not in outputs["metadata"]
    method, path, body = cluster.calls[-1]
    assert (method, body) == ("PATCH", CLAIM)
    assert path.startswith(f"{CLAIM_PATH}?fieldManager=pulumi-kubernetes-")
    assert path.endswith("&force=false")


def test_nulls_and_private_fields_are_not_sent(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, {**NAMESPACE, "spec": None, "__fieldManager": "x"})
    assert cluster.calls[-1][2] == NAMESPACE


def test_a_create_that_was_broken_off_can_be_repeated(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    create(provider, CLAIM)
    first = cluster.objects[CLAIM_PATH]["metadata"]["uid"]
    again = {**CLAIM, "spec": {**CLAIM["spec"], "volumeMode": "Filesystem"}}
    create(configured(cluster, upsertExistingObjects="true"), again)
    assert cluster.objects[CLAIM_PATH]["metadata"]["uid"] == first
    assert cluster.objects[CLAIM_PATH]["spec"]["volumeMode"] == "Filesystem"


@pytest.mark.parametrize("props", [NAMESPACE, CLAIM], ids=["cluster-wide", "in a namespace"])
def test_an_object_that_is_there_is_refused_unless_it_may_be_taken_over(
    cluster: Cluster, provider: KubernetesProvider, props: dict[str, Any]
) -> None:
    create(provider, NAMESPACE)
    if props is CLAIM:
        create(provider, CLAIM)
    cluster.calls.clear()
    with pytest.raises(InvalidInputError) as refused:
        create(configured(cluster, upsertExistingObjects="false"), props)
    assert "(409 AlreadyExists)" in refused.value.message
    assert refused.value.message.endswith(f'"{props["metadata"]["name"]}" already exists')
    assert "upsertExistingObjects" in (refused.value.remedy or "")
    assert [method for method, _, _ in cluster.calls] == ["GET"], "nothing was changed"


def test_a_preview_asks_nobody_and_keeps_unknowns(cluster: Cluster, provider: KubernetesProvider) -> None:
    props = {**CLAIM, "metadata": {**CLAIM["metadata"], "labels": {"a": UNKNOWN}}}
    identity, outputs = create(provider, props, preview=True)
    assert identity == ""
    assert outputs["metadata"]["labels"]["a"] is UNKNOWN
    changed = update(provider, {**CLAIM, "status": {"phase": "Bound"}}, props, preview=True)
    assert changed["metadata"]["labels"]["a"] is UNKNOWN
    assert changed["status"] == {"phase": "Bound"}
    assert cluster.calls == []


def test_an_update_lets_go_of_what_is_no_longer_wished(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    create(provider, CLAIM)
    without = {**CLAIM, "metadata": {"name": "state", "namespace": "cell-anna", "labels": {"c": "d"}}}
    outputs = update(provider, CLAIM, without)
    assert outputs["metadata"]["labels"] == {"c": "d"}
    assert cluster.objects[CLAIM_PATH]["metadata"]["labels"] == {"c": "d"}


def test_drift_is_seen_by_read_and_nothing_else_is_drift(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    create(provider, CLAIM)
    assert to_python(read(provider, CLAIM, "cell-anna/state").inputs) == CLAIM
    cluster.write_as("kubectl-edit", CLAIM_PATH, {"metadata": {"labels": {"a": "edited", "extra": "x"}}})
    answer = read(provider, CLAIM, "cell-anna/state")
    assert to_python(answer.inputs)["metadata"]["labels"] == {"a": "edited"}
    assert to_python(answer.properties)["metadata"]["labels"] == {"a": "edited", "extra": "x"}


def test_drift_is_repaired_by_force_and_refused_without(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    create(provider, CLAIM)
    cluster.write_as("kubectl-edit", CLAIM_PATH, {"metadata": {"labels": {"a": "edited"}}})
    before = len(cluster.calls)
    with pytest.raises(InvalidInputError) as refused:
        update(provider, CLAIM, CLAIM)
    assert len(cluster.calls) == before + 1, "asking again would change nothing"
    assert "PersistentVolumeClaim cell-anna/state (409 Conflict)" in refused.value.message
    assert '.metadata.labels.a: conflict with "kubectl-edit"' in refused.value.message
    update(configured(cluster, enablePatchForce="true"), CLAIM, CLAIM)
    assert cluster.objects[CLAIM_PATH]["metadata"]["labels"]["a"] == "b"
    cluster.write_as("kubectl-edit", CLAIM_PATH, {"metadata": {"labels": {"a": "edited"}}})
    forced = {**CLAIM, "metadata": {**CLAIM["metadata"], "annotations": {"pulumi.com/patchForce": "true"}}}
    update(provider, CLAIM, forced)
    assert cluster.objects[CLAIM_PATH]["metadata"]["labels"]["a"] == "b"


def test_what_somebody_deleted_is_reported_as_gone(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    create(provider, CLAIM)
    cluster.forget(CLAIM_PATH)
    assert read(provider, CLAIM, "cell-anna/state").id == ""


def test_an_import_takes_the_wish_out_of_the_live_object(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    create(provider, CLAIM)
    answer = read(provider, CLAIM, "cell-anna/state", known=False)
    inputs = to_python(answer.inputs)
    assert inputs["metadata"] == CLAIM["metadata"]
    assert "status" not in inputs
    assert inputs["kind"] == "PersistentVolumeClaim"


def test_secrets_stay_secret_in_outputs_and_are_plain_for_the_server(
    cluster: Cluster, provider: KubernetesProvider
) -> None:
    create(provider, NAMESPACE)
    token = base64.b64encode(b"planted").decode()
    props = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tokens", "namespace": "cell-anna", "labels": {"a": Secret("hidden")}},
        "data": Secret({"token": token}),
    }
    _, outputs = create(provider, props)
    assert (cluster.calls[-1][2] or {})["data"] == {"token": token}
    assert isinstance(outputs["data"], Secret)
    assert isinstance(outputs["metadata"]["labels"]["a"], Secret)
    inputs = to_python(read(provider, props, "cell-anna/tokens").inputs)
    assert isinstance(inputs["data"], Secret)
    assert reveal(inputs) == reveal(props)


def test_what_a_secret_holds_is_secret_in_state_though_nobody_marked_it(
    cluster: Cluster, provider: KubernetesProvider
) -> None:
    create(provider, NAMESPACE)
    place = {"name": "tokens", "namespace": "cell-anna"}
    _, outputs = create(provider, {"apiVersion": "v1", "kind": "Secret", "metadata": place, "data": {"a": "Yg=="}})
    assert isinstance(outputs["data"], Secret)


def test_string_data_of_a_secret_is_compared_with_what_the_server_keeps(
    cluster: Cluster, provider: KubernetesProvider
) -> None:
    props = {
        **NAMESPACE,
        "kind": "Secret",
        "metadata": {"name": "t", "namespace": "cell-anna"},
        "stringData": {"a": "1"},
    }
    create(provider, NAMESPACE)
    create(provider, props)
    path = "/api/v1/namespaces/cell-anna/secrets/t"
    cluster.objects[path].pop("stringData")
    cluster.objects[path]["data"] = {"a": base64.b64encode(b"1").decode()}
    assert to_python(read(provider, props, "cell-anna/t").inputs)["stringData"] == {"a": "1"}
    cluster.objects[path]["data"] = {"a": base64.b64encode(b"2").decode()}
    assert to_python(read(provider, props, "cell-anna/t").inputs)["stringData"] == {"a": "2"}


def test_the_servers_refusal_is_passed_on_in_full(cluster: Cluster, provider: KubernetesProvider) -> None:
    causes = [{"field": "spec.replicas", "message": "Invalid value: -1: must be positive"}]
    cluster.trouble = [(*status(422, "Invalid", "StatefulSet is invalid", causes), {})]
    with pytest.raises(InvalidInputError) as refused:
        create(provider, NAMESPACE)
    assert refused.value.message == (
        "The API server refused to apply Namespace cell-anna (422 Invalid): StatefulSet is invalid "
        "[spec.replicas: Invalid value: -1: must be positive]"
    )
    assert len(cluster.calls) == 1


def test_an_object_without_its_namespace_is_a_sentence(provider: KubernetesProvider) -> None:
    with pytest.raises(InvalidInputError, match='namespaces "cell-anna" not found'):
        create(provider, CLAIM)


@pytest.mark.parametrize(
    "trouble",
    [
        (503, {"message": "busy"}, {"Retry-After": "0"}),
        (429, {"message": "slow down"}, {"Retry-After": "0"}),
        (*status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas"), {}),
    ],
)
def test_a_busy_server_is_asked_again(cluster: Cluster, provider: KubernetesProvider, trouble: Any) -> None:
    cluster.trouble = [trouble, trouble]
    create(provider, NAMESPACE)
    assert len(cluster.calls) == 3


def test_a_field_that_a_kind_has_not_is_no_trouble_of_the_server(
    cluster: Cluster, provider: KubernetesProvider
) -> None:
    told = (
        "failed to create typed patch object (cell-anna/x; /v1, Kind=ConfigMap): .datta: field not declared in schema"
    )
    cluster.trouble = [(*status(500, "", told), {})]
    with pytest.raises(InvalidInputError, match=r"\.datta: field not declared in schema"):
        create(provider, NAMESPACE)
    assert len(cluster.calls) == 1, "asking again would change nothing"


def test_a_server_that_stays_busy_or_away_is_a_temporary_error(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.plugins.kubernetes_provider.api._FIRST_PAUSE", 0.001)
    provider = configured(cluster)
    cluster.trouble = [(503, {"message": "etcd is away"}, {})] * 5
    with pytest.raises(TemporaryError, match="etcd is away"):
        create(provider, NAMESPACE)
    cluster.port = 1  # nobody listens there
    with pytest.raises(TemporaryError, match="does not answer"):
        create(configured(cluster), NAMESPACE)


def test_a_delete_waits_until_the_object_is_gone(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    cluster.lingering = 5
    delete(provider, NAMESPACE)
    assert cluster.objects == {}
    _, _, options = next(call for call in cluster.calls if call[0] == "DELETE")
    assert options is not None
    assert options["propagationPolicy"] == "Foreground"
    delete(provider, NAMESPACE)


def test_a_delete_that_takes_too_long_says_what_holds_the_object(
    cluster: Cluster, provider: KubernetesProvider
) -> None:
    create(provider, NAMESPACE)
    cluster.lingering = 10_000
    path = "/api/v1/namespaces/cell-anna"
    cluster.objects[path]["spec"] = {"finalizers": ["kubernetes"]}
    condition = {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"}
    cluster.objects[path]["status"] = {"conditions": [condition]}
    with pytest.raises(TemporaryError) as held:
        delete(provider, NAMESPACE, timeout=0.1)
    assert "NamespaceContentRemaining: pods. has 1 resource instances; finalizer kubernetes" in held.value.message


def test_an_object_of_the_same_name_made_since_is_left_alone(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    path = "/api/v1/namespaces/cell-anna"
    was = dict(cluster.objects[path])
    newer = {**was, "metadata": {**was["metadata"], "uid": "another"}}
    cluster.trouble = [(200, was, {})]
    cluster.objects[path] = newer
    delete(provider, NAMESPACE)
    assert cluster.objects[path] == newer


def test_a_stop_ends_a_wait_at_once(cluster: Cluster, provider: KubernetesProvider) -> None:
    create(provider, NAMESPACE)
    cluster.lingering = 1_000_000
    threading.Timer(0.1, provider.stop).start()
    started = time.monotonic()
    with pytest.raises(TemporaryError, match="the next run waits on"):
        delete(provider, NAMESPACE, timeout=60)
    assert time.monotonic() - started < patient(5)


def test_the_users_token_is_sent_and_never_told(cluster: Cluster, provider: KubernetesProvider) -> None:
    assert provider._api is not None
    assert "planted" not in repr(provider._api._access)


def test_an_unknown_kubeconfig_previews_and_does_nothing_else() -> None:
    provider = KubernetesProvider(version="4.34.2")
    provider.Configure(provider_pb2.ConfigureRequest(args=to_struct({"kubeconfig": UNKNOWN})), CONTEXT)
    assert create(provider, NAMESPACE, preview=True)[0] == ""
    with pytest.raises(InvalidInputError, match="not known yet"):
        create(provider, NAMESPACE)
