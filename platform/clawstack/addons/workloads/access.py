"""What the worker may do in the cluster: make and unmake cells, and nothing to anything else.

Kubernetes grants by kind and name, not by the beginning of a name. So there are two walls: a role that names the
objects of a cell (their names are the same in every cell), and a policy of the API server that refuses whatever the
worker would write outside namespaces that begin with `cell-`. Left open: it may read objects of these names elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clawstack.addons.base.model import Manifest
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.workloads import WorkloadRole, Workloads
from clawstack.addons.workloads.pods import name_of
from clawstack.naming import namespace_name

Document = dict[str, Any]

ROLE: Final = "clawstack-cells"
FENCE: Final = "clawstack-worker-stays-in-cells"
CELL_PREFIX: Final = namespace_name("x").removesuffix("x")
#: A list is granted by name too: the API server takes the name from the query `metadata.name=...`
#: (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
_CHANGE: Final = ("get", "list", "patch", "update", "delete")
_LOOK: Final = ("get", "list", "watch")
#: Objects of a cell: group, resource, names (as `tenants.namespace` renders them; a test compares).
CELL_OBJECTS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "configmaps"): ("config",),
    ("", "limitranges"): ("limits",),
    ("", "persistentvolumeclaims"): ("state",),
    ("", "resourcequotas"): ("quota",),
    ("", "secrets"): ("tokens", "workspace"),
    ("", "serviceaccounts"): ("gateway",),
    ("", "services"): ("gateway",),
    ("apps", "statefulsets"): ("gateway",),
    ("networking.k8s.io", "networkpolicies"): ("default-deny", "gateway-rules"),
    ("gateway.networking.k8s.io", "httproutes"): ("gateway",),
}


def access(objects: Objects, own: Workloads) -> Iterator[Manifest]:
    """Role, binding and fence."""
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": name_of(WorkloadRole.WORKER), "namespace": own.namespace}
    yield objects.object(f"{group}/v1", "ClusterRole", ROLE, None, rules=rules())
    yield objects.object(
        f"{group}/v1",
        "ClusterRoleBinding",
        ROLE,
        None,
        roleRef={"apiGroup": group, "kind": "ClusterRole", "name": ROLE},
        subjects=[account],
    )
    kind = "ValidatingAdmissionPolicy"
    yield objects.object("admissionregistration.k8s.io/v1", kind, FENCE, None, spec=_fence(own))
    binding = {"policyName": FENCE, "validationActions": ["Deny"]}
    yield objects.object("admissionregistration.k8s.io/v1", f"{kind}Binding", FENCE, None, spec=binding)


def rules() -> list[Document]:
    """What the role grants."""
    granted = [_rule("", ["namespaces"], [*_LOOK, "create", "patch", "update", "delete"])]
    for (group, resource), names in CELL_OBJECTS.items():
        granted.append(_rule(group, [resource], list(_CHANGE), names))
        # A name cannot be asked for before the object is there; the fence says where it may be made.
        granted.append(_rule(group, [resource], ["create"]))
    return [
        *granted,
        # Waiting, and telling why a cell is not ready. Nothing of this shows what is in a Secret.
        _rule("", ["pods", "events", "persistentvolumeclaims"], list(_LOOK)),
        _rule("apps", ["statefulsets"], list(_LOOK)),
        _rule("", ["pods/log"], ["get"]),
        _rule("", ["pods/exec"], ["create", "get"]),
        _rule("", ["pods"], ["create", "patch", "delete"]),
        _rule("", ["pods/resize"], ["patch"]),
        _rule("metrics.k8s.io", ["pods"], ["get", "list"]),
        _rule("", ["nodes", "persistentvolumes"], ["get", "list"]),
    ]


def _rule(group: str, resources: list[str], verbs: list[str], names: tuple[str, ...] = ()) -> Document:
    named = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **named}


def _fence(own: Workloads) -> Document:
    worker = f"system:serviceaccount:{own.namespace}:{name_of(WorkloadRole.WORKER)}"
    inside = (
        "request.resource.resource == 'namespaces' ? "
        f"request.name.startsWith('{CELL_PREFIX}') : request.namespace.startsWith('{CELL_PREFIX}')"
    )
    everything = {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": ["*/*"],
        "operations": ["CREATE", "UPDATE", "DELETE", "CONNECT"],
    }
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [everything]},
        "matchConditions": [{"name": "worker", "expression": f"request.userInfo.username == '{worker}'"}],
        "validations": [
            {
                "expression": inside,
                "message": f"clawstack's worker writes only in namespaces that begin with {CELL_PREFIX}",
                "reason": "Forbidden",
            }
        ],
    }
