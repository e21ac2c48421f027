"""Everything to build for a namespace cell, decided by a pure function: all manifests as one value."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from clawstack.labels import MANAGED_BY, SUBSTRATE, TENANT
from clawstack.naming import namespace_name
from tenants.bundles import load_bundle
from tenants.namespace import isolation, workload
from tenants.namespace.files import PORT, VOLUME, config_files, in_pod, pod_config, pod_environment, restart_digest
from tenants.namespace.known_names import known_names
from tenants.namespace.settings import NamespaceSettings, Route
from tenants.openclaw import build_workspace
from tenants.spec import CellSpec

_COMPONENT: Final = "app.kubernetes.io/component"
_APP: Final = {"app.kubernetes.io/name": "openclaw", _COMPONENT: "gateway"}
_SKIP_AWAIT: Final = {"pulumi.com/skipAwait": "true"}


@dataclass(frozen=True, kw_only=True)
class CellManifest:
    """One Kubernetes object. `name` is what it is called within the plan and in the Pulumi stack."""

    name: str
    api_version: str
    kind: str
    content: Mapping[str, Any] = field(repr=False)
    """Everything but apiVersion and kind."""
    secret: frozenset[str] = frozenset()
    """Top-level fields that are secret as a whole."""

    def document(self) -> dict[str, Any]:
        """The object as plain data, a copy of its own."""
        return {"apiVersion": self.api_version, "kind": self.kind, **copy.deepcopy(dict(self.content))}


@dataclass(frozen=True, kw_only=True)
class NamespacePlan:
    """One namespace cell. The first manifest is the namespace; all others live in it and vanish with it."""

    slug: str
    namespace: str
    labels: Mapping[str, str]
    cluster: str
    endpoint: str
    state_directory: str
    version: str
    manifests: tuple[CellManifest, ...]

    def documents(self) -> list[dict[str, Any]]:
        """All objects as plain data, in the order in which they can be applied."""
        return [manifest.document() for manifest in self.manifests]


def build_plan(spec: CellSpec, settings: NamespaceSettings, *, today: date) -> NamespacePlan:
    """The plan of `spec` on the cluster of `settings`.

    Equal inputs give equal plans. Raises InvalidInputError when the bundle does not exist or a pod could not reach the
    platform.
    """
    inside = in_pod(spec, settings)
    namespace = namespace_name(spec.slug)
    return NamespacePlan(
        slug=spec.slug,
        namespace=namespace,
        labels=spec.labels,
        cluster=settings.cluster,
        endpoint=f"http://{workload.NAME}.{namespace}.svc:{PORT}",
        state_directory=f"{namespace}/{workload.CLAIM}:{VOLUME / spec.slug / 'state'}",
        version=settings.version,
        manifests=tuple(_manifests(inside, settings, today)),
    )


def _manifests(spec: CellSpec, settings: NamespaceSettings, today: date) -> Iterator[CellManifest]:
    yield _namespace(spec)
    yield from _walls(spec, settings)
    yield from _contents(spec, settings, today)
    if settings.route is not None:
        yield _route(spec, settings.route)


def _walls(spec: CellSpec, settings: NamespaceSettings) -> Iterator[CellManifest]:
    """Before anything that runs: no pod ever lives without them."""
    net = ("networking.k8s.io/v1", "NetworkPolicy")
    yield _object(spec, isolation.DENY, *net, spec=isolation.default_deny())
    asks = known_names(spec, settings) is None
    rules = isolation.gateway_rules(settings, _selector(spec), asks_names=asks)
    yield _object(spec, isolation.RULES, *net, spec=rules)
    quota = isolation.quota(spec.resources, workload.requests(spec))
    yield _object(spec, isolation.QUOTA, "v1", "ResourceQuota", spec=quota)
    yield _object(spec, isolation.LIMITS, "v1", "LimitRange", spec=isolation.limit_range(spec.resources))


def _contents(spec: CellSpec, settings: NamespaceSettings, today: date) -> Iterator[CellManifest]:
    bundle = load_bundle(spec.bundle.name, spec.bundle.version)
    config = pod_config(spec, bundle, settings)
    variables, tokens = pod_environment(spec)
    yield _object(spec, workload.NAME, "v1", "ServiceAccount", automountServiceAccountToken=False)
    yield _secret(spec, workload.TOKENS, tokens)
    # Personal, so kept like a secret: Kubernetes encrypts Secrets at rest, ConfigMaps it does not.
    yield _secret(spec, workload.WORKSPACE, build_workspace(spec, bundle, today))
    yield _object(spec, workload.CONFIG, "v1", "ConfigMap", data=config_files(config))
    yield _object(spec, workload.CLAIM, "v1", "PersistentVolumeClaim", spec=_claim(spec, settings))
    yield _object(spec, workload.NAME, "v1", "Service", spec=_service(spec))
    pod = workload.gateway_pod(spec, settings, variables)
    digest = restart_digest(spec, config, workload.needs_restart(pod))
    pods = workload.stateful_set(spec, pod, selector=_selector(spec), digest=digest)
    yield _object(spec, workload.NAME, "apps/v1", "StatefulSet", spec=pods)


def keeper_labels(spec: CellSpec) -> dict[str, str]:
    """Those of the cell, but for what the gateway's Service and network rules look for."""
    return {**_APP, **spec.labels, _COMPONENT: "keeper"}


def _namespace(spec: CellSpec) -> CellManifest:
    # Waited for when it is deleted: a cell is gone when its namespace is.
    labels = {**spec.labels, **isolation.pod_security_labels()}
    metadata = {"name": namespace_name(spec.slug), "labels": labels}
    return CellManifest(name="namespace", api_version="v1", kind="Namespace", content={"metadata": metadata})


def _object(
    cell: CellSpec,
    name: str,
    api_version: str,
    kind: str,
    /,
    *,
    secret: frozenset[str] = frozenset(),
    **content: Any,
) -> CellManifest:
    metadata = {
        "name": name,
        "namespace": namespace_name(cell.slug),
        "labels": {**_APP, **cell.labels},
        "annotations": dict(_SKIP_AWAIT),
    }
    return CellManifest(
        name=f"{kind.lower()}-{name}",
        api_version=api_version,
        kind=kind,
        content={"metadata": metadata, **content},
        secret=secret,
    )


def _secret(spec: CellSpec, name: str, values: Mapping[str, str]) -> CellManifest:
    # `data`, not `stringData`: only what the API server gives back can be compared with what is wanted.
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return _object(spec, name, "v1", "Secret", secret=frozenset({"data"}), type="Opaque", data=data)


def _claim(spec: CellSpec, settings: NamespaceSettings) -> dict[str, Any]:
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{spec.resources.disk_mb}Mi"}},
    }
    return claim if settings.storage_class is None else {**claim, "storageClassName": settings.storage_class}


def _service(spec: CellSpec) -> dict[str, Any]:
    """Headless, as a StatefulSet's service must be; the name leads to the one pod, and cells take no addresses."""
    port = {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}
    return {"type": "ClusterIP", "clusterIP": "None", "selector": _selector(spec), "ports": [port]}


def _route(spec: CellSpec, route: Route) -> CellManifest:
    parent = {"name": route.gateway, "namespace": route.gateway_namespace}
    if route.section is not None:
        parent["sectionName"] = route.section
    content = {
        "parentRefs": [parent],
        "hostnames": [f"{spec.slug}.{route.domain}"],
        "rules": [{"backendRefs": [{"name": workload.NAME, "port": PORT}]}],
    }
    return _object(spec, workload.NAME, "gateway.networking.k8s.io/v1", "HTTPRoute", spec=content)


def _selector(spec: CellSpec) -> dict[str, str]:
    """Never changes in the life of a cell: a StatefulSet's selector is immutable, and so are its pods' labels here."""
    labels = spec.labels
    return {**_APP, TENANT: labels[TENANT], SUBSTRATE: labels[SUBSTRATE], MANAGED_BY: labels[MANAGED_BY]}
