"""Whom a cell may talk to: everything is denied first, and what is opened leads to the platform only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi_policy import (
    PolicyResource,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from clawstack.naming import namespace_name
from clawstack_policies.kubernetes.objects import kind_of, metadata_of, of_cell, pod_of
from clawstack_policies.rule import rule, stack_rule

_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_DNS_PORT: Final = 53
_CELL_NAMESPACE: Final = namespace_name("x").removesuffix("x")
_DIRECTIONS: Final = frozenset({"Ingress", "Egress"})
_OPTIONS: Final = {
    "platformNamespaces": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "description": "Namespaces of the platform's LLM proxy and Telegram router.",
        "default": ["clawstack"],
    },
    "dnsNamespaces": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "description": "Namespaces of the cluster's DNS, open for names only.",
        "default": ["kube-system"],
    },
    "platformAddresses": {
        "type": "array",
        "items": {"type": "string", "minLength": 2},
        "description": "Addresses of a platform outside the cluster; without it, any single private address will do.",
    },
}

Peer = Mapping[str, Any]


def _egress(args: ResourceValidationArgs) -> Iterator[str]:
    if kind_of(args.resource_type) != "NetworkPolicy" or not of_cell(args.resource_type, args.urn, args.props):
        return
    config = args.get_config()
    for opened in (args.props.get("spec") or {}).get("egress") or []:
        ports = list(opened.get("ports") or [])
        peers = list(opened.get("to") or [])
        if not peers:
            yield f"{args.name} lets the cell call everybody."
        if not ports or any(port.get("port") is None or port.get("endPort") is not None for port in ports):
            yield f"{args.name} opens every port, or a range, instead of single ones."
        names_only = bool(ports) and all(port.get("port") == _DNS_PORT for port in ports)
        for peer in peers:
            complaint = _beyond_platform(peer, config, names_only=names_only)
            if complaint:
                yield f"{args.name} lets the cell call {complaint}."


def _beyond_platform(peer: Peer, config: Mapping[str, Any], *, names_only: bool) -> str | None:
    if peer.get("ipBlock") is not None:
        return _beyond_host(str(peer["ipBlock"].get("cidr") or ""), config.get("platformAddresses"))
    pods = (peer.get("podSelector") or {}).get("matchLabels") or {}
    if peer.get("namespaceSelector") is None:
        return None  # pods of the cell's own namespace
    named = ((peer["namespaceSelector"] or {}).get("matchLabels") or {}).get(_NAMESPACE_LABEL)
    if named not in _namespaces(config, "platformNamespaces") and not (
        names_only and named in _namespaces(config, "dnsNamespaces")
    ):
        return f"the namespace {named}, which is not the platform's" if named else "namespaces by a selector"
    return None if pods else f"every pod of {named}"


def _namespaces(config: Mapping[str, Any], option: str) -> list[str]:
    configured = config.get(option)
    return list(_OPTIONS[option]["default"] if configured is None else configured)


def _beyond_host(cidr: str, allowed: Any) -> str | None:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return f"{cidr!r}, which is no address"
    if network.num_addresses > 1:
        return f"the network {cidr}"
    address = network.network_address
    if address.is_link_local or address.is_loopback:
        return f"{address}, where machines tell about themselves"
    if allowed is not None:
        return None if str(address) in list(allowed) else f"{address}, which is not the platform's"
    return None if address.is_private else f"{address} on the internet"


def egress_to_platform() -> ResourceValidationPolicy:
    """Law 3: names, LLM proxy, Telegram router."""
    return rule(
        name="network-forbid-wide-egress",
        sentence="Cells reach DNS and the platform, nothing else.",
        remedy="Name the platform's pods (or single addresses) and their ports; add its namespaces to "
        "platformNamespaces in the pack's configuration.",
        severity=Severity.CRITICAL,
        check=_egress,
        options=_OPTIONS,
    )


def _ingress(args: ResourceValidationArgs) -> Iterator[str]:
    if kind_of(args.resource_type) != "NetworkPolicy" or not of_cell(args.resource_type, args.urn, args.props):
        return
    for opened in (args.props.get("spec") or {}).get("ingress") or []:
        peers = list(opened.get("from") or [])
        if not peers:
            yield f"{args.name} lets everybody call the cell."
        for peer in peers:
            complaint = _too_many(peer)
            if complaint:
                yield f"{args.name} lets {complaint} call the cell."


def _too_many(peer: Peer) -> str | None:
    if peer.get("ipBlock") is not None:
        cidr = str(peer["ipBlock"].get("cidr") or "")
        try:
            return f"the network {cidr}" if ipaddress.ip_network(cidr, strict=False).num_addresses > 1 else None
        except ValueError:
            return f"{cidr!r}, which is no address,"
    if peer.get("namespaceSelector") is None:
        return None
    named = ((peer["namespaceSelector"] or {}).get("matchLabels") or {}).get(_NAMESPACE_LABEL)
    if not named:
        return "namespaces by a selector"
    return f"the cell in {named}" if str(named).startswith(_CELL_NAMESPACE) else None


def ingress_from_platform() -> ResourceValidationPolicy:
    """Nobody but named callers."""
    return rule(
        name="network-forbid-open-ingress",
        sentence="Cells are called by named parts of the platform, never by everybody and never by another cell.",
        remedy="Name the calling pods and their namespace, or single addresses.",
        severity=Severity.CRITICAL,
        check=_ingress,
    )


def _unwalled(args: StackValidationArgs) -> Iterator[tuple[str, str]]:
    resources = [found for found in args.resources if of_cell(found.resource_type, found.urn, found.props)]
    walled = {_own_namespace(found) for found in resources if _denies_everything(found)}
    told: set[str] = set()
    for found in resources:
        place = _inhabited(found)
        if place and place not in walled and place not in told:
            told.add(place)
            yield found.urn, f"The namespace {place} has no network policy that denies everything."


def _inhabited(found: PolicyResource) -> str:
    if kind_of(found.resource_type) == "Namespace":
        return str(metadata_of(found.props).get("name") or "")
    return _own_namespace(found) if pod_of(found.resource_type, found.props) is not None else ""


def _own_namespace(found: PolicyResource) -> str:
    return str(metadata_of(found.props).get("namespace") or "")


def _denies_everything(found: PolicyResource) -> bool:
    if kind_of(found.resource_type) != "NetworkPolicy":
        return False
    spec = found.props.get("spec") or {}
    everyone = not any((spec.get("podSelector") or {}).values())
    silent = not (spec.get("ingress") or spec.get("egress"))
    return everyone and silent and set(spec.get("policyTypes") or []) >= _DIRECTIONS


def default_deny_present() -> StackValidationPolicy:
    """A pod that no policy selects may talk to everybody."""
    return stack_rule(
        name="namespace-require-default-deny",
        sentence="Every namespace of a cell denies all traffic that no other rule opens, in and out.",
        remedy="Add a NetworkPolicy with an empty podSelector, both policyTypes and no rules.",
        severity=Severity.CRITICAL,
        check=_unwalled,
    )
