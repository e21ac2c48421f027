"""A namespace cell as Pulumi resources: the namespace, then everything in it, through a provider for its own cluster.

Nothing in the namespace is waited for: whether the pod gets ready, and why not, is judged by the provisioner's poller
(the provider would wait ten minutes and could not tell). The namespace's end is waited for. Its contents are deleted
with it, in one call; network rules may vanish before a pod that is still finishing its turns, so the provisioner
suspends a cell before it destroys it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from typing_extensions import override

from clawstack.errors import InvalidInputError
from tenants.namespace.plan import Manifest, NamespacePlan, build_plan
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec, Substrate
from tenants.substrates.protocol import Cell, SubstrateBuilder

#: Module of the SDK for each API group used here.
_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {"v1": "core.v1", "apps/v1": "apps.v1", "networking.k8s.io/v1": "networking.v1"}
)
#: A claim can never shrink, and whether it can grow depends on its storage class: what grows it is the live side, after
#: the update. Its labels tell the plan it was made for.
_FROZEN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"PersistentVolumeClaim": ("spec", "metadata")})
_LOADING: Final = threading.Lock()


class NamespaceCell(pulumi.ComponentResource):
    """One cell of the `namespace` substrate."""

    endpoint: pulumi.Output[str]
    state_directory: pulumi.Output[str]
    openclaw_version: pulumi.Output[str]
    pid: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        plan: NamespacePlan,
        *,
        kubeconfig: str,
        context: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("clawstack:tenants:NamespaceCell", name, None, opts)
        provider = kubernetes.Provider(
            f"{name}-cluster",
            kubeconfig=pulumi.Output.secret(kubeconfig),
            context=context,
            # A new certificate for the same cluster must not replace every cell on it.
            cluster_identifier=plan.cluster,
            enable_server_side_apply=True,
            # What somebody edited by hand is set right again instead of being refused.
            enable_patch_force=True,
            # By default the provider would replace them, and a pod's mounts would be gone for a moment.
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._declare(name, plan, provider)
        self.endpoint = pulumi.Output.from_input(plan.endpoint)
        self.state_directory = pulumi.Output.from_input(plan.state_directory)
        self.openclaw_version = pulumi.Output.from_input(plan.version)
        self.pid = pulumi.Output.from_input(0)
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "stateDirectory": self.state_directory,
                "openclawVersion": self.openclaw_version,
            }
        )

    def _declare(self, name: str, plan: NamespacePlan, provider: kubernetes.Provider) -> None:
        first, *others = plan.manifests
        namespace = declare(name, first, pulumi.ResourceOptions(parent=self, provider=provider))
        walls: list[pulumi.Resource] = [namespace]
        for manifest in others:
            made = declare(
                name,
                manifest,
                pulumi.ResourceOptions(
                    parent=self,
                    provider=provider,
                    # What runs comes after the walls and after what it mounts, in the order of the plan.
                    depends_on=list(walls) if manifest.kind == "StatefulSet" else [namespace],
                    deleted_with=namespace,
                    ignore_changes=list(_FROZEN.get(manifest.kind, ())),
                ),
            )
            walls.append(made)


def declare(cell: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """The Pulumi resource of one manifest, with its secret fields marked."""
    fields: dict[str, Any] = {
        _argument(key): pulumi.Output.secret(value) if key in manifest.secret else value
        for key, value in manifest.document().items()
        if key not in {"apiVersion", "kind"}
    }
    resource: pulumi.CustomResource = _class_of(manifest)(f"{cell}-{manifest.name}", **fields, opts=opts)
    return resource


def _class_of(manifest: Manifest) -> Callable[..., Any]:
    module = _MODULES.get(manifest.api_version)
    if module is None:
        return lambda name, **fields: CustomResource(
            name, api_version=manifest.api_version, kind=manifest.kind, **fields
        )
    # The SDK loads its modules when they are first touched, and not safely from two threads at once.
    with _LOADING:
        importlib.import_module("pulumi_kubernetes.meta.v1")
        found: Callable[..., Any] = getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), manifest.kind)
    return found


def _argument(key: str) -> str:
    """`automountServiceAccountToken` as the SDK spells it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


class NamespaceSubstrate(SubstrateBuilder[NamespacePlan]):
    """The `namespace` substrate in the registry, for one cluster."""

    def __init__(self, settings: NamespaceSettings) -> None:
        self._settings = settings

    @override
    def build(self, spec: CellSpec, *, today: date) -> NamespacePlan:
        if spec.substrate is not Substrate.NAMESPACE:
            raise InvalidInputError(f"Cell {spec.slug} is for {spec.substrate.value}, not for a namespace.")
        return build_plan(spec, self._settings, today=today)

    @override
    def component(self, plan: NamespacePlan, opts: pulumi.ResourceOptions | None = None) -> Cell:
        kubeconfig = self._settings.kubeconfig.get_secret_value()
        return NamespaceCell(plan.slug, plan, kubeconfig=kubeconfig, context=self._settings.context, opts=opts)
