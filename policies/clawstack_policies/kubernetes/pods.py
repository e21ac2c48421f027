"""What a pod of a cell may be: Kubernetes' restricted standard and a little more, whoever renders it.

Source: Kubernetes documentation, Pod Security Standards. The namespace enforces the standard as well; the rules refuse
before anything is sent, and say what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack_policies.kubernetes.objects import containers_of, kind_of, of_cell, pod_of
from clawstack_policies.rule import Check, rule

Pod = Mapping[str, Any]
#: Volumes of the restricted standard.
_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_LIMITS: Final = ("cpu", "memory", "ephemeral-storage")
_PINNED: Final = re.compile(r"[^@\s]+:[\w][\w.-]*@sha256:[0-9a-f]{64}")
_SECCOMP: Final = ("RuntimeDefault", "Localhost")
_HOST_NAMESPACES: Final = ("hostNetwork", "hostPID", "hostIPC")


def _for_pods(judge: Callable[[Pod], Iterator[str]]) -> Check:
    def check(args: ResourceValidationArgs) -> Iterator[str]:
        if not of_cell(args.resource_type, args.urn, args.props):
            return
        pod = pod_of(args.resource_type, args.props)
        if pod is not None:
            for finding in judge(pod):
                yield f"{args.name}: {finding}."

    return check


def _restricted(pod: Pod) -> Iterator[str]:
    shared = pod.get("securityContext") or {}
    for name, container in containers_of(pod):
        own = container.get("securityContext") or {}
        if _either(own, shared, "runAsNonRoot") is not True:
            yield f"container {name} may run as root (runAsNonRoot is not true)"
        if (_either(own, shared, "seccompProfile") or {}).get("type") not in _SECCOMP:
            yield f"container {name} has no seccomp profile"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"container {name} may gain privileges (allowPrivilegeEscalation is not false)"
        if "ALL" not in list((own.get("capabilities") or {}).get("drop") or []):
            yield f"container {name} keeps capabilities"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"container {name} may write to its root file system"
    for volume in pod.get("volumes") or []:
        others = set(volume) - {"name"} - _VOLUMES - {"hostPath"}  # that one has a rule of its own
        if others:
            yield f"volume {volume.get('name')} is a {', '.join(sorted(others))}"


def _either(own: Mapping[str, Any], shared: Mapping[str, Any], key: str) -> Any:
    value = own.get(key)
    return shared.get(key) if value is None else value


def _host(pod: Pod) -> Iterator[str]:
    for name in _HOST_NAMESPACES:
        if pod.get(name):
            yield f"{name} is set"
    for volume in pod.get("volumes") or []:
        if volume.get("hostPath") is not None:
            yield f"volume {volume.get('name')} is a path of the node"
    for name, container in containers_of(pod):
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                yield f"container {name} takes the node's port {int(port['hostPort'])}"


def _privileged(pod: Pod) -> Iterator[str]:
    shared = pod.get("securityContext") or {}
    if shared.get("sysctls"):
        yield "it sets kernel parameters"
    for name, container in containers_of(pod):
        own = container.get("securityContext") or {}
        if own.get("privileged"):
            yield f"container {name} is privileged"
        added = list((own.get("capabilities") or {}).get("add") or [])
        if added:
            yield f"container {name} adds the capabilities {', '.join(map(str, added))}"
        if _either(own, shared, "runAsUser") == 0 or _either(own, shared, "runAsGroup") == 0:
            yield f"container {name} runs as root"
        if own.get("procMount") not in (None, "Default"):
            yield f"container {name} sees an unmasked /proc"


def _limits(pod: Pod) -> Iterator[str]:
    for name, container in containers_of(pod):
        limits = (container.get("resources") or {}).get("limits") or {}
        missing = [limit for limit in _LIMITS if not limits.get(limit)]
        if missing:
            yield f"container {name} has no limit for {', '.join(missing)}"


def _pinned(pod: Pod) -> Iterator[str]:
    for name, container in containers_of(pod):
        image = str(container.get("image") or "no image")
        if not _PINNED.fullmatch(image):
            yield f"container {name} runs {image}"


def _token(args: ResourceValidationArgs) -> Iterator[str]:
    if not of_cell(args.resource_type, args.urn, args.props):
        return
    account = kind_of(args.resource_type) == "ServiceAccount"
    if account and args.props.get("automountServiceAccountToken") is not False:
        yield f"{args.name} gives its token to every pod."
    pod = pod_of(args.resource_type, args.props)
    if pod is None:
        return
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{args.name} mounts a service-account token."
    for volume in pod.get("volumes") or []:
        sources = (volume.get("projected") or {}).get("sources") or []
        if any(source.get("serviceAccountToken") is not None for source in sources):
            yield f"{args.name} projects a service-account token into volume {volume.get('name')}."


def pods_restricted() -> ResourceValidationPolicy:
    """Kubernetes' restricted standard, and a read-only root."""
    return rule(
        name="pod-require-restricted",
        sentence="Pods of cells meet the restricted Pod Security Standard with a read-only root file system.",
        remedy="Take the security contexts of tenants.namespace.workload.",
        severity=Severity.CRITICAL,
        check=_for_pods(_restricted),
    )


def pods_off_host() -> ResourceValidationPolicy:
    """Nothing of the node."""
    return rule(
        name="pod-forbid-host",
        sentence="Pods of cells share no namespace, path or port with their node.",
        remedy="Use a volume claim and a Service.",
        severity=Severity.CRITICAL,
        check=_for_pods(_host),
    )


def pods_unprivileged() -> ResourceValidationPolicy:
    """No power over the node."""
    return rule(
        name="pod-forbid-privileged",
        sentence="Pods of cells run unprivileged, without added capabilities, as an ordinary user.",
        remedy="Remove the privilege; OpenClaw runs as uid 1000 without any.",
        severity=Severity.CRITICAL,
        check=_for_pods(_privileged),
    )


def no_api_token() -> ResourceValidationPolicy:
    """No way into the Kubernetes API."""
    return rule(
        name="pod-forbid-api-token",
        sentence="Cells hold no token for the Kubernetes API.",
        remedy="Set automountServiceAccountToken to false on the pod and its ServiceAccount.",
        severity=Severity.CRITICAL,
        check=_token,
    )


def pods_limited() -> ResourceValidationPolicy:
    """No pod that eats its node."""
    return rule(
        name="pod-require-limits",
        sentence="Every container of a cell has limits for CPU, memory and ephemeral storage.",
        remedy="Take them from the plan's resources.",
        severity=Severity.HIGH,
        check=_for_pods(_limits),
    )


def images_pinned() -> ResourceValidationPolicy:
    """No image that changes behind our back."""
    return rule(
        name="pod-pin-image",
        sentence="Images of cells are pinned by tag and digest.",
        remedy="Write it as name:tag@sha256:digest.",
        severity=Severity.HIGH,
        check=_for_pods(_pinned),
    )
