"""A namespace cell as Pulumi resources: the namespace, then everything in it, through a provider for its own cluster.

Nothing in the namespace is waited for: whether the pod gets ready, and why not, is judged by the provisioner's poller
(the provider would wait ten minutes and could not tell). The namespace's end is waited for. Its contents are deleted
with it, in one call; network rules may vanish before a pod that is still finishing its turns, so the provisioner
suspends a cell before it destroys it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.kubernetes_sdk import arguments, class_of
from tenants.builder import DeclaredCell, SubstrateBuilder
from tenants.namespace import NAME
from tenants.namespace.plan import CellManifest, NamespacePlan, build_plan
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec

#: A claim can never shrink, and whether it can grow depends on its storage class: what grows it is the live side, after
#: the update. Its labels tell the plan it was made for.
_FROZEN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"PersistentVolumeClaim": ("spec", "metadata")})
#: A namespace ends in seconds, with a volume to detach in half a minute; what is still there after this is held by
#: something that must be told to people, and the official provider would say nothing for ten minutes.
_ENDS_WITHIN: Final = "90s"
#: All else vanishes with its namespace. These go before it: a namespace that holds a claim with a finalizer is looked at
#: again only 8 seconds later. On fake nodes a destroy of 15 s became one of 11 s.
_ENDED_FIRST: Final = frozenset({"StatefulSet", "PersistentVolumeClaim"})


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
            # What a killed run made is found again by making it once more (`Run._find_again`); refused otherwise.
            upsert_existing_objects=True,
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
        patience = pulumi.CustomTimeouts(delete=_ENDS_WITHIN)
        opts = pulumi.ResourceOptions(parent=self, provider=provider, custom_timeouts=patience)
        namespace = declare(name, first, opts)
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
                    deleted_with=None if manifest.kind in _ENDED_FIRST else namespace,
                    custom_timeouts=patience,
                    ignore_changes=list(_FROZEN.get(manifest.kind, ())),
                ),
            )
            walls.append(made)


def declare(cell: str, manifest: CellManifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """The Pulumi resource of one manifest, with its secret fields marked."""
    fields = {
        key: pulumi.Output.secret(value) if key in manifest.secret else value
        for key, value in manifest.document().items()
    }
    declared = class_of(manifest.api_version, manifest.kind)
    resource: pulumi.CustomResource = declared(f"{cell}-{manifest.name}", **arguments(fields), opts=opts)
    return resource


class NamespaceBuilder(SubstrateBuilder[NamespacePlan]):
    """Builds cells of the `namespace` substrate, for one cluster."""

    def __init__(self, settings: NamespaceSettings) -> None:
        self._settings = settings

    @override
    def build(self, spec: CellSpec, *, today: date) -> NamespacePlan:
        if spec.substrate != NAME:
            raise InvalidInputError(f"Cell {spec.slug} is for {spec.substrate}, not for a namespace.")
        return build_plan(spec, self._settings, today=today)

    @override
    def component(self, plan: NamespacePlan, opts: pulumi.ResourceOptions | None = None) -> DeclaredCell:
        kubeconfig = self._settings.kubeconfig.get_secret_value()
        return NamespaceCell(plan.slug, plan, kubeconfig=kubeconfig, context=self._settings.context, opts=opts)
