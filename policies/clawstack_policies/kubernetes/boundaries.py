"""What a cell may hold: its own namespace and namespaced objects in it, none of them reachable from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack.labels import TENANT
from clawstack.naming import namespace_name
from clawstack_policies.kubernetes.objects import kind_of, metadata_of, of_cell
from clawstack_policies.rule import rule

_POD_SECURITY: Final = "pod-security.kubernetes.io/"
_MODES: Final = ("enforce", "warn", "audit")
#: Kinds of the Kubernetes API that live outside namespaces (source: `kubectl api-resources --namespaced=false`, 1.34).
_CLUSTER_KINDS: Final = frozenset({
    "APIService", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "ClusterTrustBundle", "CSIDriver",
    "CSINode", "CustomResourceDefinition", "DeviceClass", "FlowSchema", "IngressClass", "IPAddress",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "Node",
    "PersistentVolume", "PriorityClass", "PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass", "ServiceCIDR",
    "StorageClass", "StorageVersionMigration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration", "VolumeAttachment", "VolumeAttributesClass",
})  # fmt: skip
#: Types that bring objects which no rule gets to see.
_UNSEEN: Final = ("kubernetes:helm.sh/", "kubernetes:yaml", "kubernetes:kustomize")
#: Not the object's own words: names for machines, and what programs keep in their configuration.
_NO_REFERENCES: Final = frozenset({"metadata", "status", "data", "stringData", "binaryData"})
#: A route hangs below the platform's Gateway; that reference leads out of the cell on purpose.
_LEADING_OUT: Final = frozenset({"parentRefs"})


def _cluster_scope(args: ResourceValidationArgs) -> Iterator[str]:
    kind = kind_of(args.resource_type)
    if not of_cell(args.resource_type, args.urn, args.props):
        return
    if args.resource_type.startswith(_UNSEEN) or kind.endswith(("List", "Patch")):
        yield f"{args.name} is a {kind}: what it brings or changes cannot be judged."
    elif kind in _CLUSTER_KINDS:
        yield f"{args.name} is a {kind}, which belongs to the whole cluster."
    elif kind != "Namespace" and not metadata_of(args.props).get("namespace"):
        yield f"{args.name} names no namespace."


def no_cluster_scope() -> ResourceValidationPolicy:
    """A cell owns nothing that others share."""
    return rule(
        name="cell-forbid-cluster-scope",
        sentence="Cells hold a namespace and namespaced objects, one resource each.",
        remedy="Leave cluster-wide objects to the platform's stack, and declare each object with its namespace.",
        severity=Severity.CRITICAL,
        check=_cluster_scope,
    )


def _foreign(args: ResourceValidationArgs) -> Iterator[str]:
    if not of_cell(args.resource_type, args.urn, args.props):
        return
    metadata = metadata_of(args.props)
    tenant = (metadata.get("labels") or {}).get(TENANT)
    own = namespace_name(str(tenant)) if tenant else None  # the rule for labels speaks where there is none
    is_namespace = kind_of(args.resource_type) == "Namespace"
    place = metadata.get("name") if is_namespace else metadata.get("namespace")
    if own and place and place != own:
        yield f"{args.name} {'is' if is_namespace else 'lies in'} the namespace {place}, not in {own}."
    contents = {key: args.props.get(key) for key in args.props if key not in _NO_REFERENCES}
    for named in _references(contents):
        if named != place:
            yield f"{args.name} refers to the namespace {named}."
    role = args.props.get("roleRef")
    if role is not None and role.get("kind") == "ClusterRole":
        yield f"{args.name} grants the cluster's role {role.get('name')}."


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key == "namespace" and isinstance(member, str):
                yield member
            elif key not in _LEADING_OUT:
                yield from _references(member)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for member in value:
            yield from _references(member)


def no_foreign_namespace() -> ResourceValidationPolicy:
    """A cell knows of no other."""
    return rule(
        name="cell-forbid-foreign-namespace",
        sentence="Objects of a cell lie in its own namespace and refer to no other.",
        remedy="Use clawstack.naming.namespace_name(slug) of the tenant in the label, and objects of that namespace.",
        severity=Severity.CRITICAL,
        check=_foreign,
    )


def _exposed(args: ResourceValidationArgs) -> Iterator[str]:
    if kind_of(args.resource_type) != "Service" or not of_cell(args.resource_type, args.urn, args.props):
        return
    spec = args.props.get("spec") or {}
    kind = spec.get("type") or "ClusterIP"
    if kind != "ClusterIP":
        yield f"{args.name} is of type {kind}."
    if spec.get("externalIPs"):
        yield f"{args.name} takes external addresses."


def no_exposed_service() -> ResourceValidationPolicy:
    """No address of a cell outside the cluster."""
    return rule(
        name="service-forbid-exposure",
        sentence="Services of cells are reachable inside the cluster only.",
        remedy="Use type ClusterIP; customers reach a cell through the platform.",
        severity=Severity.CRITICAL,
        check=_exposed,
    )


def _unguarded(args: ResourceValidationArgs) -> Iterator[str]:
    if kind_of(args.resource_type) != "Namespace" or not of_cell(args.resource_type, args.urn, args.props):
        return
    labels = metadata_of(args.props).get("labels") or {}
    weak = [mode for mode in _MODES if labels.get(_POD_SECURITY + mode) != "restricted"]
    if weak:
        yield f"{args.name} does not {', '.join(weak)} the restricted standard."


def pod_security_enforced() -> ResourceValidationPolicy:
    """The cluster judges pods too, also those that somebody makes by hand."""
    return rule(
        name="namespace-require-pod-security",
        sentence="Namespaces of cells enforce, warn and audit the restricted Pod Security Standard.",
        remedy=f"Label it {_POD_SECURITY}enforce, warn and audit: restricted.",
        severity=Severity.CRITICAL,
        check=_unguarded,
    )
