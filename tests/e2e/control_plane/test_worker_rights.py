"""What the worker may do, asked of a real API server: a whole cell, in cells only, and nobody's secrets."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from clawstack.addons.base.model import Manifest
from clawstack.addons.workloads.access import CELL_OBJECTS
from tenants.namespace.plan import NamespacePlan
from tests.e2e.control_plane.api_server import ApiServer
from tests.unit.addons.builders import addon, manifests
from tests.unit.namespace.builders import plan_of
from tests.waiting import until

WORKER = ("--as=system:serviceaccount:clawstack:clawstack-worker", "--as-group=system:authenticated")
APPLIED = (
    "Namespace", "PriorityClass", "NetworkPolicy", "ServiceAccount", "ClusterRole", "ClusterRoleBinding",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
)  # fmt: skip
FENCE = "clawstack-worker-stays-in-cells"
_SECONDS = 30


@pytest.fixture(scope="module", autouse=True)
def platform(api: ApiServer) -> None:
    """The platform's namespace, role and fence."""
    api.apply(*(manifest.document() for manifest in addon("workloads").manifests() if manifest.kind in APPLIED))
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "kube-system"},
    }
    api.apply(account)

    def stands() -> bool:
        return FENCE in api(*WORKER, "create", "namespace", "not-a-cell", "--dry-run=server", check=False)

    # An API server takes a new policy up after a moment.
    until(stands, "the fence", seconds=_SECONDS, pause=0.2)


def refused(api: ApiServer, *arguments: str, text: str | None = None) -> str:
    answer = api(*WORKER, *arguments, text=text, check=False)
    assert "forbidden" in answer.lower(), answer
    return answer


def a_cell() -> NamespacePlan:
    return plan_of(storage_class=None, priority_classes={})


def test_a_whole_cell_is_made_changed_looked_at_and_unmade(api: ApiServer) -> None:
    for document in a_cell().documents():
        text = yaml.safe_dump(document)
        for _ in ("made", "made again"):
            api(*WORKER, "apply", "--server-side", "--field-manager=pulumi", "-f", "-", text=text)
    place = ("-n", a_cell().namespace)
    names = api(*WORKER, "get", "secret/tokens", "statefulset/gateway", "configmap/config", *place, "-o", "name")
    assert len(names.split()) == 3
    api(*WORKER, "get", "pods,events,persistentvolumeclaims", *place)
    for (group, kind), names_of_kind in CELL_OBJECTS.items():
        for name in names_of_kind if group != "gateway.networking.k8s.io" else ():  # a kind that this server has not
            api(*WORKER, "get", kind, "-A", f"--field-selector=metadata.name={name}")
    api(*WORKER, "patch", "pvc", "state", *place, "--type=merge", "-p", '{"metadata":{"annotations":{"a":"b"}}}')
    pods = (("get", "pods/log"), ("create", "pods/exec"), ("patch", "pods/resize"))
    for verb, what in (*pods, *((verb, "pods") for verb in ("create", "patch", "delete"))):
        assert api(*WORKER, "auth", "can-i", verb, what, *place).strip() == "yes", (verb, what)
    for document in a_cell().documents()[1:]:
        api(*WORKER, "delete", document["kind"], document["metadata"]["name"], *place, "--wait=false")
    api(*WORKER, "delete", "namespace", a_cell().namespace, "--wait=false")


def test_nothing_is_written_outside_cells(api: ApiServer) -> None:
    assert FENCE in refused(api, "create", "namespace", "evil")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens", "namespace": "kube-system"}}
    for command in (("create", "-f", "-"), ("apply", "--server-side", "-f", "-")):
        assert FENCE in refused(api, *command, text=yaml.safe_dump(secret))
    assert FENCE in refused(api, "delete", "namespace", "clawstack", "--dry-run=server")
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        # Where no standard for pods would stop it.
        "metadata": {"name": "evil", "namespace": "kube-system"},
        "spec": {"containers": [{"name": "evil", "image": "example.org/evil:1"}]},
    }
    assert FENCE in refused(api, "create", "-f", "-", text=yaml.safe_dump(pod))


def test_nobodys_secrets_are_read(api: ApiServer) -> None:
    refused(api, "get", "secrets", "-A")
    refused(api, "get", "secrets", "-A", "--field-selector=metadata.name=clawstack-environment")
    refused(api, "get", "secret", "clawstack-environment", "-n", "clawstack")
    refused(api, "get", "configmaps", "-n", "kube-system")


def test_it_grants_itself_nothing(api: ApiServer) -> None:
    for kind in ("rolebindings", "clusterrolebindings", "roles", "clusterroles", "validatingadmissionpolicies"):
        for verb in ("create", "patch", "delete"):
            assert api(*WORKER, "auth", "can-i", verb, kind, check=False).strip().startswith("no"), (verb, kind)


def _standard(manifest: Manifest) -> bool:
    return manifest.api_version.split("/")[0] in {"v1", "apps", "policy", "autoscaling", "networking.k8s.io"}


def test_the_server_takes_the_services_and_warns_of_no_pod(api: ApiServer) -> None:
    """Deployments in a namespace that enforces the restricted standard: the server warns of what it will refuse."""
    documents = [
        manifest.document()
        for manifest in manifests()
        if manifest.namespace == "clawstack" and _standard(manifest) and manifest.kind != "Secret"
    ]
    assert len([document for document in documents if document["kind"] == "Deployment"]) == 4
    text = yaml.safe_dump_all(documents)
    api("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "-f", "-", text=text)
