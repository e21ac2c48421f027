"""Cells in namespaces of a K3s cluster, and what the settings say about that cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from clawstack.errors import NeedsAttentionError
from clawstack.naming import namespace_name
from tenants.namespace import NAME
from tenants.substrates.substrate import Installation, Substrate

if TYPE_CHECKING:
    from clawstack.settings import Settings
    from tenants.builder import SubstrateBuilder
    from tenants.namespace.settings import NamespaceSettings, Peer

_EGRESS: Final = "network-forbid-wide-egress"


class Namespaces(Substrate):
    """The `namespace` substrate."""

    name = NAME
    plugins = ("kubernetes",)
    remedy = "To use namespaces, set CLAWSTACK_KUBECONFIG and CLAWSTACK_CLUSTER."

    @override
    def is_configured(self, settings: Settings) -> bool:
        return settings.kubeconfig is not None

    @override
    def builder(self, installation: Installation) -> SubstrateBuilder[Any]:
        from tenants.namespace.component import NamespaceBuilder  # late: the Kubernetes SDK costs 0.3 CPU-seconds

        return NamespaceBuilder(namespace_settings(installation.settings))

    @override
    def platform_url(self, settings: Settings) -> str:
        return settings.cluster_platform_url or settings.base_url()

    @override
    def router_url(self, settings: Settings) -> str:
        return settings.cluster_router_url or self.platform_url(settings)

    @override
    def is_own_host(self, host: str, slug: str) -> bool:
        """The name of a Service in the cell's namespace."""
        namespace = namespace_name(slug)
        return any(
            host.endswith(ending) and "." not in host.removesuffix(ending) and host.removesuffix(ending) != ""
            for ending in (f".{namespace}.svc", f".{namespace}.svc.cluster.local")
        )

    @override
    def policy_options(self, settings: Settings) -> Mapping[str, Mapping[str, Any]]:
        """The namespaces and addresses that cells may call: those that the settings of the cluster name, no others."""
        if not self.is_configured(settings):
            return {}
        cluster = namespace_settings(settings)
        platform = (cluster.proxy.peer, cluster.router.peer)
        return {
            _EGRESS: {
                "platformNamespaces": _namespaces(platform),
                "platformAddresses": _addresses((*platform, cluster.dns)),
                "dnsNamespaces": _namespaces((cluster.dns,)),
            }
        }


NAMESPACE: Final = Namespaces()


def namespace_settings(settings: Settings) -> NamespaceSettings:
    """The cluster for namespace cells.

    Raises NeedsAttentionError when CLAWSTACK_KUBECONFIG cannot be read or CLAWSTACK_CLUSTER is not complete.
    """
    from pydantic import SecretStr, ValidationError  # late: commands only want the names

    from tenants.namespace.settings import NamespaceSettings

    try:
        return NamespaceSettings.model_validate({"kubeconfig": SecretStr(_kubeconfig(settings)), **settings.cluster})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)]
        raise NeedsAttentionError(
            f"CLAWSTACK_CLUSTER does not describe a cluster: {'; '.join(lines)}.",
            code="bad_settings",
            remedy='docs/operators.md, "Cells in namespaces", shows a complete one.',
        ) from None


def _kubeconfig(settings: Settings) -> str:
    if settings.kubeconfig is None:
        raise NeedsAttentionError("CLAWSTACK_KUBECONFIG is not set.", code="bad_settings", remedy=NAMESPACE.remedy)
    try:
        return settings.kubeconfig.read_text(encoding="utf-8")
    except OSError as error:
        raise NeedsAttentionError(
            f"CLAWSTACK_KUBECONFIG names {settings.kubeconfig}, which cannot be read: {error.strerror}.",
            code="bad_settings",
            remedy="Name a kubeconfig that this account may read.",
        ) from error


def _namespaces(peers: Iterable[Peer]) -> list[str]:
    return sorted({peer.namespace for peer in peers if peer.namespace is not None})


def _addresses(peers: Iterable[Peer]) -> list[str]:
    return sorted({address for peer in peers for address in peer.addresses})
