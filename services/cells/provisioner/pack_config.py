"""What the policy pack is told of this installation: where the platform is, and what the operator says about rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from clawstack.settings import Settings
from services.cells.substrates.grounds import namespace_settings

if TYPE_CHECKING:
    from tenants.namespace.settings import Peer

_EGRESS: Final = "network-forbid-wide-egress"


def pack_config(settings: Settings) -> dict[str, dict[str, Any]]:
    """Configuration by the names of rules; what CLAWSTACK_POLICY_CONFIG says about a rule's option wins.

    Raises NeedsAttentionError when the configured cluster cannot be read.
    """
    config = {_EGRESS: _egress(settings)}
    for rule, options in settings.policy_config.items():
        config[rule] = {**config.get(rule, {}), **options}
    return {rule: options for rule, options in config.items() if options}


def _egress(settings: Settings) -> dict[str, Any]:
    """The namespaces and addresses that cells may call: those that the settings of the cluster name, no others."""
    cluster = namespace_settings(settings)
    if cluster is None:
        return {}
    platform = (cluster.proxy.peer, cluster.router.peer)
    return {
        "platformNamespaces": _namespaces(platform),
        "platformAddresses": _addresses((*platform, cluster.dns)),
        "dnsNamespaces": _namespaces((cluster.dns,)),
    }


def _namespaces(peers: Iterable[Peer]) -> list[str]:
    return sorted({peer.namespace for peer in peers if peer.namespace is not None})


def _addresses(peers: Iterable[Peer]) -> list[str]:
    return sorted({address for peer in peers for address in peer.addresses})
