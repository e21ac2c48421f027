"""Where each kind is served, and which of its fields the API server refuses to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clawstack.errors import InvalidInputError

_IDENTITY: Final = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of object. Source: the Kubernetes API reference, 1.34."""

    plural: str
    namespaced: bool = True
    fixed: tuple[str, ...] = ()
    """Paths whose change needs a new object."""
    only: tuple[str, ...] = ()
    """If given: the only paths below `spec` that may change."""

    def is_fixed(self, path: str) -> bool:
        """Whether a change at `path` needs a new object."""
        if any(_within(path, fixed) for fixed in (*_IDENTITY, *self.fixed)):
            return True
        inside_spec = _within(path, "spec") and path != "spec"
        return bool(self.only) and inside_spec and not any(_within(path, allowed) for allowed in self.only)


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


_SETS: Final = ("spec.selector",)
_KINDS: Final[Mapping[str, Kind]] = {
    "core/v1:Namespace": Kind(plural="namespaces", namespaced=False),
    "core/v1:ServiceAccount": Kind(plural="serviceaccounts"),
    "core/v1:Secret": Kind(plural="secrets", fixed=("type",)),
    "core/v1:ConfigMap": Kind(plural="configmaps"),
    "core/v1:PersistentVolumeClaim": Kind(
        plural="persistentvolumeclaims", only=("spec.resources", "spec.volumeAttributesClassName")
    ),
    "core/v1:Service": Kind(plural="services", fixed=("spec.clusterIP", "spec.clusterIPs")),
    "core/v1:Pod": Kind(
        plural="pods",
        only=("spec.activeDeadlineSeconds", "spec.terminationGracePeriodSeconds", "spec.tolerations"),
    ),
    "core/v1:ResourceQuota": Kind(plural="resourcequotas", fixed=("spec.scopes", "spec.scopeSelector")),
    "core/v1:LimitRange": Kind(plural="limitranges"),
    "apps/v1:StatefulSet": Kind(
        plural="statefulsets",
        only=(
            "spec.replicas", "spec.ordinals", "spec.template", "spec.updateStrategy", "spec.revisionHistoryLimit",
            "spec.persistentVolumeClaimRetentionPolicy", "spec.minReadySeconds",
        ),
    ),
    "apps/v1:Deployment": Kind(plural="deployments", fixed=_SETS),
    "apps/v1:DaemonSet": Kind(plural="daemonsets", fixed=_SETS),
    "batch/v1:Job": Kind(
        plural="jobs", fixed=("spec.template", "spec.selector", "spec.completionMode", "spec.completions")
    ),
    "batch/v1:CronJob": Kind(plural="cronjobs"),
    "networking.k8s.io/v1:NetworkPolicy": Kind(plural="networkpolicies"),
    "networking.k8s.io/v1:Ingress": Kind(plural="ingresses"),
    "gateway.networking.k8s.io/v1:HTTPRoute": Kind(plural="httproutes"),
    "policy/v1:PodDisruptionBudget": Kind(plural="poddisruptionbudgets"),
    "autoscaling/v2:HorizontalPodAutoscaler": Kind(plural="horizontalpodautoscalers"),
    "admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy": Kind(
        plural="validatingadmissionpolicies", namespaced=False
    ),
    "admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding": Kind(
        plural="validatingadmissionpolicybindings", namespaced=False
    ),
    "rbac.authorization.k8s.io/v1:Role": Kind(plural="roles"),
    "rbac.authorization.k8s.io/v1:RoleBinding": Kind(plural="rolebindings", fixed=("roleRef",)),
    "rbac.authorization.k8s.io/v1:ClusterRole": Kind(plural="clusterroles", namespaced=False),
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": Kind(
        plural="clusterrolebindings", namespaced=False, fixed=("roleRef",)
    ),
    "scheduling.k8s.io/v1:PriorityClass": Kind(
        plural="priorityclasses", namespaced=False, fixed=("value", "preemptionPolicy")
    ),
    "node.k8s.io/v1:RuntimeClass": Kind(plural="runtimeclasses", namespaced=False, fixed=("handler",)),
    "storage.k8s.io/v1:StorageClass": Kind(
        plural="storageclasses", namespaced=False, fixed=("provisioner", "parameters", "volumeBindingMode")
    ),
}  # fmt: skip


def kind_of(urn: str) -> Kind:
    """The kind of a resource; raises InvalidInputError with those that there are."""
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    kind = _KINDS.get(token.removeprefix("kubernetes:"))
    if kind is None:
        raise InvalidInputError(
            f"The offline kubernetes plugin has no resource {token}; it has {', '.join(sorted(_KINDS))}.",
            remedy="Install the official plugin with `pulumi plugin install resource kubernetes`.",
        )
    return kind
