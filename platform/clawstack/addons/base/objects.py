"""Kubernetes objects of the platform: each labelled, each namespace with its own word about pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from clawstack.addons.base.model import Manifest, SecretName
from clawstack.labels import platform_labels

APP: Final = "app.kubernetes.io/name"
COMPONENT: Final = "app.kubernetes.io/component"
_PSA: Final = "pod-security.kubernetes.io"

Level = Literal["restricted", "baseline", "privileged"]


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Makes objects of one add-on on one cluster."""

    cluster: str
    app: str

    def labels(self) -> dict[str, str]:
        """What everything of this add-on carries."""
        return {APP: self.app, **platform_labels(cluster=self.cluster)}

    def namespace(self, name: str, level: Level) -> Manifest:
        """A namespace that holds its pods to `level`; what is looser still warns."""
        wanted = {f"{_PSA}/enforce": level, f"{_PSA}/warn": "restricted", f"{_PSA}/audit": "restricted"}
        versions = {f"{key}-version": "latest" for key in wanted}
        metadata = {"name": name, "labels": {**self.labels(), **wanted, **versions}}
        return Manifest(api_version="v1", kind="Namespace", name=name, namespace=None, content={"metadata": metadata})

    def secret(
        self,
        name: str,
        namespace: str,
        *,
        data: Mapping[str, str | SecretName] | None = None,
        data_from: SecretName | None = None,
    ) -> Manifest:
        """A Secret; what is in it is filled in by the component."""
        content = {"metadata": self._metadata(name, namespace), "type": "Opaque"}
        return Manifest(
            api_version="v1",
            kind="Secret",
            name=name,
            namespace=namespace,
            content=content,
            data=dict(data or {}),
            data_from=data_from,
        )

    def object(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        /,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **content: Any,
    ) -> Manifest:
        """Any other object; `namespace` None for those of the whole cluster."""
        metadata = self._metadata(name, namespace, labels or {}, annotations or {})
        return Manifest(
            api_version=api_version,
            kind=kind,
            name=name,
            namespace=namespace,
            content={"metadata": metadata, **content},
        )

    def _metadata(
        self,
        name: str,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "labels": {**self.labels(), **(labels or {})}}
        if namespace is not None:
            metadata["namespace"] = namespace
        if annotations:
            metadata["annotations"] = dict(annotations)
        return metadata
