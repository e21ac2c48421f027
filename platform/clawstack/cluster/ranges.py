"""Address ranges that an operator writes: which sources may reach SSH and the kube API, and which network is private."""

from __future__ import annotations

import ipaddress
from typing import Final

#: A source wider than this is the internet by another name (0.0.0.0/1 and 128.0.0.0/1 together are all of it).
_WIDEST_IPV4: Final = 8
_WIDEST_IPV6: Final = 20
#: K3s's own defaults for pods and services; the private network must not touch them.
POD_RANGE: Final = "10.42.0.0/16"
SERVICE_RANGE: Final = "10.43.0.0/16"
_NETWORK_PREFIX: Final = 16


def parse_range(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The range; raises ValueError with the remedy when it is none."""
    try:
        return ipaddress.ip_network(value, strict=True)
    except ValueError:
        near = _without_host_bits(value)
        hint = f"write {near}" if near else "write it as 203.0.113.7/32 or 2001:db8:1::/48"
        raise ValueError(f"{value[:60]!r} is not an address range; {hint}") from None


def _without_host_bits(value: str) -> str | None:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return None


def admin_source(value: str) -> str:
    """A range that may reach SSH or the kube API; raises ValueError for the whole internet and for most of it."""
    network = parse_range(value)
    widest = _WIDEST_IPV4 if network.version == 4 else _WIDEST_IPV6  # noqa: PLR2004 - IP versions are 4 and 6
    if network.prefixlen >= widest:
        return str(network)
    what = "the whole internet" if network.prefixlen == 0 else "a large part of the internet"
    raise ValueError(
        f"{value} is {what}: SSH and the kube API would stand open to every scanner; "
        f"name the ranges of your office, VPN or bastion (IPv4 /{_WIDEST_IPV4} or narrower, IPv6 /{_WIDEST_IPV6} or narrower)"
    )


def any_source(value: str) -> str:
    """A range that may reach public web ports: every range is allowed."""
    return str(parse_range(value))


def private_network(value: str) -> str:
    """The cluster's network: a private /16 that does not touch the ranges of pods and services."""
    network = parse_range(value)
    if network.version != 4 or network.prefixlen != _NETWORK_PREFIX or not _is_rfc1918(network):  # noqa: PLR2004
        raise ValueError(f"{value} is not a private IPv4 /16; use for example 10.0.0.0/16 (RFC 1918)")
    for taken, whose in ((POD_RANGE, "pods"), (SERVICE_RANGE, "services")):
        if network.overlaps(ipaddress.ip_network(taken)):
            raise ValueError(f"{value} overlaps {taken}, where K3s puts {whose}; use for example 10.0.0.0/16")
    return str(network)


def _is_rfc1918(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    ranges = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return any(
        isinstance(network, ipaddress.IPv4Network) and network.subnet_of(ipaddress.IPv4Network(each)) for each in ranges
    )
