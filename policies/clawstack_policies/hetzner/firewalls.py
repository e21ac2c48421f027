"""Who may knock: no server without a firewall, and no way to administer one from everywhere."""

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

from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.objects import given, known, labels, of_type, points_at
from clawstack_policies.rule import rule, stack_rule

_ADMINISTRATION: Final[Mapping[int, str]] = {22: "SSH", 6443: "the Kubernetes API"}
_LAST_PORT: Final = 65535
#: Wider public networks than these are everybody, in two halves or in four.
_NARROWEST_EVERYBODY: Final[Mapping[int, int]] = {4: 8, 6: 16}


def _open_doors(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type != objects.FIREWALL:
        return
    for opened in args.props.get("rules") or []:
        if opened.get("direction") != "in" or opened.get("protocol") != "tcp":
            continue
        doors = [name for port, name in _ADMINISTRATION.items() if port in _ports(opened.get("port"))]
        wide = [str(source) for source in opened.get("sourceIps") or [] if _is_everybody(str(source))]
        if doors and wide:
            yield f"{args.name} opens {' and '.join(doors)} to {', '.join(wide)}."


def _ports(value: Any) -> range:
    if value in (None, "", "any"):
        return range(1, _LAST_PORT + 1)
    try:
        first, _, last = str(value).partition("-")
        return range(int(first), int(last or first) + 1)
    except ValueError:
        return range(1, _LAST_PORT + 1)  # what cannot be read may be anything


def _is_everybody(source: str) -> bool:
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return True
    return network.prefixlen < _NARROWEST_EVERYBODY[network.version]


def no_public_administration() -> ResourceValidationPolicy:
    """SSH and the Kubernetes API are for named networks."""
    return rule(
        name="firewall-forbid-public-administration",
        sentence="No firewall opens SSH or the Kubernetes API to everybody.",
        remedy="Name the networks that operators come from in the rule's sourceIps.",
        severity=Severity.CRITICAL,
        check=_open_doors,
    )


def _open_balancers(args: StackValidationArgs) -> Iterator[tuple[str, str]]:
    for balancer in of_type(args.resources, objects.LOAD_BALANCER):
        if any(
            points_at(link, "loadBalancerId", balancer) and known(link.props, "enablePublicInterface") is False
            for link in of_type(args.resources, objects.LOAD_BALANCER_NETWORK)
        ):
            continue
        for service in of_type(args.resources, objects.LOAD_BALANCER_SERVICE):
            if points_at(service, "loadBalancerId", balancer):
                port = service.props.get("listenPort")
                door = None if port is None else _ADMINISTRATION.get(int(port))
                if door is not None:
                    yield service.urn, f"{service.name} offers {door} on {balancer.name}, which everybody can reach."


def no_public_balancer() -> StackValidationPolicy:
    """Firewalls do not stand before load balancers."""
    return stack_rule(
        name="load-balancer-forbid-public-administration",
        sentence="No load balancer with a public interface offers SSH or the Kubernetes API: no firewall guards it.",
        remedy="Attach it to the private network with enablePublicInterface false, or reach the nodes themselves.",
        severity=Severity.CRITICAL,
        check=_open_balancers,
    )


def _unguarded(args: StackValidationArgs) -> Iterator[tuple[str, str]]:
    for server in of_type(args.resources, objects.SERVER):
        if _is_private(server) or given(server, "firewallIds"):
            continue
        if not any(_guards(found, server) for found in args.resources):
            yield server.urn, f"{server.name} has no firewall."


def _is_private(server: PolicyResource) -> bool:
    """Without a public interface: Hetzner's firewalls stand before public ones only, and refuse such a server."""
    networks = list(known(server.props, "publicNets") or [])
    return bool(networks) and all(
        known(net, "ipv4Enabled") is False and known(net, "ipv6Enabled") is False for net in networks
    )


def _guards(found: PolicyResource, server: PolicyResource) -> bool:
    if found.resource_type == objects.FIREWALL_ATTACHMENT:
        selectors = [str(each) for each in known(found.props, "labelSelectors") or []]
        return points_at(found, "serverIds", server) or any(_selects(each, server) for each in selectors)
    if found.resource_type == objects.FIREWALL:
        targets = [known(target, "labelSelector") for target in known(found.props, "applyTos") or []]
        return any(_selects(str(selector), server) for selector in targets if selector)
    return False


def _selects(selector: str, server: PolicyResource) -> bool:
    """Equality and presence; any other form of selector is not relied upon."""
    own = labels(server.props)
    for term in selector.replace("==", "=").split(","):
        name, equals, wanted = (part.strip() for part in term.partition("="))
        if name not in own or (equals and str(own[name]) != wanted):
            return False
    return bool(selector.strip())


def firewall_on_every_server() -> StackValidationPolicy:
    """Hetzner's servers are open to the internet unless a firewall says otherwise."""
    return stack_rule(
        name="server-require-firewall",
        sentence="Every server with a public interface stands behind a firewall of its own stack.",
        remedy="Give it firewallIds, or a FirewallAttachment that names it or one of its labels.",
        severity=Severity.CRITICAL,
        check=_unguarded,
    )
