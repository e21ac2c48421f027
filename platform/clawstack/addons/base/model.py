"""What an add-on consists of, as data: objects, charts, and in which order. Builders make it, the component declares it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = dict[str, Any]


class SecretName(StrEnum):
    """Secrets that come from outside. The value is the field of `AddonSecrets`; builders never see what it holds."""

    HCLOUD_TOKEN = "hcloud_token"  # noqa: S105 - a name
    SNAPSHOT_ACCESS_KEY = "snapshot_access_key"
    SNAPSHOT_SECRET_KEY = "snapshot_secret_key"  # noqa: S105 - a name
    ENVIRONMENT = "environment"
    """A whole map of CLAWSTACK_* variables."""
    DATABASE_URL = "database_url"
    PULUMI_BACKEND_URL = "pulumi_backend_url"
    GRAFANA_PASSWORD = "grafana_password"  # noqa: S105 - a name
    VOLUME_PASSPHRASE = "volume_passphrase"  # noqa: S105 - a name
    """Of all cells' volumes; without it none of them can be opened."""
    AUTOSCALER_CONFIG = "autoscaler_config"
    """Made of the agent token."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One Kubernetes object."""

    api_version: str
    kind: str
    name: str
    namespace: str | None
    content: Mapping[str, Any] = field(repr=False)
    """Everything but apiVersion and kind."""
    data: Mapping[str, str | SecretName] = field(default_factory=dict)
    """For a Secret: its keys, and what is in them."""
    data_from: SecretName | None = None
    """For a Secret: a whole map of keys and values."""

    def key(self) -> str:
        """What it is called in the Pulumi stack: unique in the cluster."""
        place = f"{self.namespace}-" if self.namespace else ""
        return f"{place}{self.kind.lower()}-{self.name}"

    def document(self) -> Document:
        """The object as plain data, a copy of its own, without what is secret."""
        return {"apiVersion": self.api_version, "kind": self.kind, **copy.deepcopy(dict(self.content))}

    def secrets(self) -> set[SecretName]:
        """What it needs from outside."""
        named = {value for value in self.data.values() if isinstance(value, SecretName)}
        return named | ({self.data_from} if self.data_from else set())


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One Helm release, pinned. Values hold no secret: those are in objects of their own."""

    name: str
    chart: str
    repo: str
    version: str
    namespace: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout_seconds: int = 600
    """How long it may take until everything in it runs; then the update fails and says what does not."""


@dataclass(frozen=True, kw_only=True)
class ManifestBundle:
    """Manifests that a project publishes as one file."""

    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Addon:
    """First `before`, then bundles, then charts, then `after` (objects of kinds that both bring)."""

    key: str
    before: tuple[Manifest, ...] = ()
    charts: tuple[Chart, ...] = ()
    bundles: tuple[ManifestBundle, ...] = ()
    after: tuple[Manifest, ...] = ()
    needs: tuple[str, ...] = ()
    """Keys of add-ons that must be there first."""

    def manifests(self) -> tuple[Manifest, ...]:
        """All its objects."""
        return self.before + self.after

    def secrets(self) -> set[SecretName]:
        """What it needs from outside."""
        return {name for manifest in self.manifests() for name in manifest.secrets()}
