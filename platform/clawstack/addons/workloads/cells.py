"""What the services are told of the cluster that they are in: how to reach its API, and where its cells find them.

The worker is known to the API server by its ServiceAccount's token, which the kubelet renews; the kubeconfig names the
file, so it holds no secret and never changes. The other roles have the same settings and no token.
"""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from clawstack.addons.base.settings import CELLS_STORAGE_CLASS, AddonsSettings
from clawstack.addons.base.workloads import WorkloadRole, Workloads
from clawstack.addons.workloads.pods import KUBECONFIG, NAME, PORT, name_of, selector
from clawstack.labels import IN_NAMESPACES
from clawstack.plans import load_catalogue

_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def cell_variables(settings: AddonsSettings, own: Workloads) -> dict[str, str]:
    """Settings of `clawstack serve`, by which it makes cells of this cluster."""
    cells = own.cells
    storage_class = cells.storage_class or (CELLS_STORAGE_CLASS if settings.storage else None)
    chosen = {"storage_class": storage_class, "runtime_class": cells.runtime_class}
    described = {
        "cluster": settings.cluster,
        "image": cells.image,
        **{name: value for name, value in chosen.items() if value is not None},
        **({"place": cells.place.model_dump()} if cells.place.pod_fields() else {}),
        **cell_peers(own),
        **cells.more,
    }
    return {
        "CLAWSTACK_DEFAULT_SUBSTRATE": IN_NAMESPACES,
        "CLAWSTACK_KUBECONFIG": KUBECONFIG,
        "CLAWSTACK_CLUSTER": json.dumps(described, sort_keys=True),
        "CLAWSTACK_CLUSTER_PLATFORM_URL": _service(own, WorkloadRole.PROXY),
        "CLAWSTACK_CLUSTER_ROUTER_URL": _service(own, WorkloadRole.ROUTER),
    }


def cell_peers(own: Workloads) -> dict[str, Any]:
    """Where cells find the platform: the fields `proxy`, `router`, `platform` and `priority_classes` of
    `tenants.namespace.settings.NamespaceSettings`, as plain data.
    """
    peers = {role: {"namespace": own.namespace, "pods": selector(role)} for role in WorkloadRole}
    return {
        "proxy": {"peer": peers[WorkloadRole.PROXY], "ports": [PORT]},
        "router": {"peer": peers[WorkloadRole.ROUTER], "ports": [PORT]},
        "platform": peers[WorkloadRole.WORKER],
        "priority_classes": priority_classes(),
    }


def priority_classes() -> dict[str, str]:
    """Name of the PriorityClass of each plan's cells."""
    return {plan: f"{NAME}-{plan}" for plan in load_catalogue().plans}


def kubeconfig() -> str:
    """Access to the cluster from within, by the pod's own token."""
    cluster = {"server": "https://kubernetes.default.svc", "certificate-authority": f"{_ACCOUNT}/ca.crt"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {"tokenFile": f"{_ACCOUNT}/token"}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    return yaml.safe_dump(content, sort_keys=False)


def _service(own: Workloads, role: WorkloadRole) -> str:
    return f"http://{name_of(role)}.{own.namespace}.svc:{PORT}"
