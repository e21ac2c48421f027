"""Add-ons as Pulumi resources, through the provider of one cluster.

Left out on purpose: waiting for what the charts' own waiting does not see, and the kubeconfig (the caller's).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from clawstack.addons.base.model import Addon, Chart, Manifest, ManifestBundle, SecretName
from clawstack.addons.base.settings import AddonsSettings
from clawstack.addons.charts.autoscaler import autoscaler_config
from clawstack.addons.plan import build_addons
from clawstack.errors import InvalidInputError
from clawstack.kubernetes_sdk import arguments, class_of, module

_GRAFANA_PASSWORD_LENGTH: Final = 40
_PASSPHRASE_LENGTH: Final = 64


@dataclass(frozen=True, kw_only=True)
class AddonSecrets:
    """What add-ons need and no builder may see. Only those of the add-ons that are switched on are required."""

    hcloud_token: pulumi.Input[str] | None = field(default=None, repr=False)
    """Best a token of a project that holds nothing but this cluster."""
    agent_token: pulumi.Input[str] | None = field(default=None, repr=False)
    """For the machines that the autoscaler makes."""
    snapshot_access_key: pulumi.Input[str] | None = field(default=None, repr=False)
    snapshot_secret_key: pulumi.Input[str] | None = field(default=None, repr=False)
    environment: pulumi.Input[Mapping[str, str]] | None = field(default=None, repr=False)
    """CLAWSTACK_* settings of the services: the platform stack's `environment` and the operator's keys."""
    database_url: pulumi.Input[str] | None = field(default=None, repr=False)
    pulumi_backend_url: pulumi.Input[str] | None = field(default=None, repr=False)
    """State of the cells' stacks, elsewhere than in a pod."""


class Addons(pulumi.ComponentResource):
    """Everything that is installed into one cluster."""

    grafana_password: pulumi.Output[str] | None
    """Of the user `admin`; None without monitoring."""

    def __init__(
        self,
        name: str,
        settings: AddonsSettings,
        *,
        provider: kubernetes.Provider,
        secrets: AddonSecrets | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("clawstack:addons:Addons", name, None, opts)
        addons = build_addons(settings)
        self.grafana_password = self._password(f"{name}-grafana") if settings.monitoring else None
        known = self._known(settings, secrets or AddonSecrets())
        if settings.storage and settings.storage.encrypt_cells:
            known[SecretName.VOLUME_PASSPHRASE] = self._password(
                f"{name}-cells-volumes", _PASSPHRASE_LENGTH, protect=settings.protection
            )
        _require(addons, known)
        made: dict[str, AddonResource] = {}
        for addon in addons:
            before = [made[key] for key in addon.needs if key in made]
            options = pulumi.ResourceOptions(parent=self)
            made[addon.key] = AddonResource(
                f"{name}-{addon.key}", addon, provider=provider, secrets=known, after=before, opts=options
            )
        self.register_outputs({"installed": list(made), "grafanaPassword": self.grafana_password})

    def _password(
        self, name: str, length: int = _GRAFANA_PASSWORD_LENGTH, *, protect: bool = False
    ) -> pulumi.Output[str]:
        password = random.RandomPassword(
            name,
            length=length,
            special=False,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        return pulumi.Output.secret(password.result)

    def _known(self, settings: AddonsSettings, secrets: AddonSecrets) -> dict[SecretName, Any]:
        given = {entry.name: getattr(secrets, entry.name) for entry in fields(secrets)}
        known = {name: given.get(name.value) for name in SecretName}
        known[SecretName.GRAFANA_PASSWORD] = self.grafana_password
        pools, agent_token = settings.autoscaler, given["agent_token"]
        if pools is not None and agent_token is not None:
            known[SecretName.AUTOSCALER_CONFIG] = pulumi.Output.from_input(agent_token).apply(
                lambda value: autoscaler_config(pools, agent_token=value)
            )
        return {name: pulumi.Output.secret(value) for name, value in known.items() if value is not None}


class AddonResource(pulumi.ComponentResource):
    """One add-on: objects, charts, and the objects that the charts' kinds are for."""

    def __init__(
        self,
        name: str,
        addon: Addon,
        *,
        provider: kubernetes.Provider,
        secrets: Mapping[SecretName, pulumi.Output[Any]],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("clawstack:addons:Addon", name, None, opts)
        self._name, self._provider, self._secrets = name, provider, secrets
        # What a component depends on is not passed on to its children (seen with this SDK): each is told itself.
        walls = self._objects(addon.before, list(after))
        kinds = [self._bundle(bundle, walls) for bundle in addon.bundles]
        charts = [self._chart(chart, [*walls, *kinds]) for chart in addon.charts]
        self._objects(addon.after, [*walls, *kinds, *charts])
        self.register_outputs({"key": addon.key})

    def _options(self, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, provider=self._provider, depends_on=list(depends_on))

    def _objects(self, manifests: Sequence[Manifest], before: list[pulumi.Resource]) -> list[pulumi.Resource]:
        made = list(before)
        namespaces = [manifest for manifest in manifests if manifest.kind == "Namespace"]
        others = [manifest for manifest in manifests if manifest.kind != "Namespace"]
        made += [self._object(manifest, before) for manifest in namespaces]
        first = list(made)
        made += [self._object(manifest, first) for manifest in others]
        return made

    def _object(self, manifest: Manifest, depends_on: Sequence[pulumi.Resource]) -> pulumi.Resource:
        content = arguments(manifest.document())
        if manifest.kind == "Secret":
            content["data"] = self._data(manifest)
        resource: pulumi.Resource = class_of(manifest.api_version, manifest.kind)(
            f"{self._name}-{manifest.key()}", **content, opts=self._options(depends_on)
        )
        return resource

    def _data(self, manifest: Manifest) -> pulumi.Output[dict[str, str]]:
        values: pulumi.Output[Any]
        if manifest.data_from is not None:
            values = self._secrets[manifest.data_from]
        else:
            entries: dict[str, Any] = {
                key: self._secrets[value] if isinstance(value, SecretName) else value
                for key, value in manifest.data.items()
            }
            values = pulumi.Output.all(**entries)
        return pulumi.Output.secret(values.apply(_encoded))

    def _chart(self, chart: Chart, depends_on: Sequence[pulumi.Resource]) -> pulumi.Resource:
        helm: Any = module("helm.v3")
        release: pulumi.Resource = helm.Release(
            f"{self._name}-{chart.name}",
            name=chart.name,
            chart=chart.chart,
            version=chart.version,
            repository_opts={"repo": chart.repo},
            namespace=chart.namespace,
            values=dict(chart.values),
            timeout=chart.timeout_seconds,
            cleanup_on_fail=True,
            max_history=5,
            opts=self._options(depends_on),
        )
        return release

    def _bundle(self, bundle: ManifestBundle, depends_on: Sequence[pulumi.Resource]) -> pulumi.Resource:
        yaml: Any = module("yaml.v2")
        file: pulumi.Resource = yaml.ConfigFile(
            f"{self._name}-{bundle.name}", file=bundle.url, opts=self._options(depends_on)
        )
        return file


def _encoded(values: Any) -> dict[str, str]:
    """`data`, not `stringData`: only what the API server gives back can be compared with what is wanted."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def _require(addons: Sequence[Addon], known: Mapping[SecretName, Any]) -> None:
    for addon in addons:
        missing = sorted(name.value for name in addon.secrets() - set(known))
        if missing:
            raise InvalidInputError(
                f"The add-on {addon.key} needs {', '.join(missing)}.",
                code="addon_secret_missing",
                remedy="Give it in AddonSecrets (the autoscaler's comes from agent_token), or leave the add-on out.",
            )
