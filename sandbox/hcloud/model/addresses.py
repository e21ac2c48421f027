"""Public and private addresses. Public ones come from ranges reserved for documentation and tests, so nobody has them."""

import ipaddress
from collections.abc import Iterable
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.errors import ApiError, invalid

_PUBLIC_V4: Final = int(ipaddress.IPv4Address("198.18.0.1"))  # RFC 2544
_PUBLIC_V6: Final = int(ipaddress.IPv6Address("2001:db8::"))  # RFC 3849
_PRIVATE: Final = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_RESERVED: Final = "172.31.1.1"  # the gateway of every server's public interface
LARGEST_SUBNET: Final = 30


def public_address(version: str, count: int) -> str:
    """Return the address number `count` (from 1): one IPv4 address, or a /64 for IPv6."""
    if version == "ipv4":
        return str(ipaddress.IPv4Address(_PUBLIC_V4 + count - 1))
    return f"{ipaddress.IPv6Address(_PUBLIC_V6 + (count << 64))}/64"


def default_name(address: str) -> str:
    """Return the reverse name that Hetzner gives an IPv4 address at first."""
    return f"static.{'.'.join(reversed(address.split('.')))}.clients.your-server.de"


def private_range(text: object, field: str = "ip_range") -> ipaddress.IPv4Network:
    """Return a private IPv4 range. Raises invalid_input."""
    try:
        network = ipaddress.IPv4Network(str(text))
    except ValueError as error:
        raise invalid(field, f"invalid IP range: {error}") from error
    if not any(network.subnet_of(private) for private in _PRIVATE if isinstance(private, ipaddress.IPv4Network)):
        raise invalid(field, f"{network} is not within a private range of RFC 1918")
    return network


def check_subnet(wished: ipaddress.IPv4Network, network: Json) -> None:
    """Raise invalid_input unless a subnet lies in its network, is large enough and overlaps no other."""
    whole = ipaddress.IPv4Network(network["ip_range"])
    if not wished.subnet_of(whole):
        raise invalid("ip_range", f"{wished} is not part of the network's range {whole}")
    if wished.prefixlen > LARGEST_SUBNET:
        raise invalid("ip_range", f"the smallest subnet is a /{LARGEST_SUBNET}")
    for other in network["subnets"]:
        if wished.overlaps(ipaddress.IPv4Network(other["ip_range"])):
            raise invalid("ip_range", f"{wished} overlaps with subnet {other['ip_range']}")


def free_subnet(network: Json) -> ipaddress.IPv4Network:
    """Return the first free /24 of a network (the whole of a smaller one). Raises invalid_input when there is none."""
    whole = ipaddress.IPv4Network(network["ip_range"])
    taken = [ipaddress.IPv4Network(other["ip_range"]) for other in network["subnets"]]
    for candidate in whole.subnets(new_prefix=max(24, whole.prefixlen)):
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise invalid("ip_range", f"no free range in {whole}")


def gateway_of(network: Json) -> str:
    """Return the gateway of all subnets: the first address of the network's range."""
    return str(ipaddress.IPv4Network(network["ip_range"])[1])


def chosen_address(network: Json, zone: str, taken: Iterable[str], *, wished: str = "", ip_range: str = "") -> str:
    """Return the wished private address, or the lowest free one of the first (or the named) subnet in the zone.

    Raises ip_not_available for a wish that cannot be met and no_subnet_available when there is nowhere to go.
    """
    subnets = [ipaddress.IPv4Network(one["ip_range"]) for one in network["subnets"] if one["network_zone"] == zone]
    if ip_range:
        subnets = [one for one in subnets if str(one) == ip_range]
    used = {*taken, gateway_of(network), _RESERVED}
    if wished:
        return _wished(wished, subnets, used)
    for subnet in subnets:
        for address in subnet.hosts():
            if str(address) not in used:
                return str(address)
    raise ApiError("no_subnet_available", "no subnet or IP available")


def _wished(text: str, subnets: Iterable[ipaddress.IPv4Network], used: set[str]) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise invalid("ip", f"invalid IP address: {error}") from error
    home = next((subnet for subnet in subnets if address in subnet), None)
    if home is None:
        raise ApiError("no_subnet_available", f"no subnet contains {address}")
    if text in used or address in {home.network_address, home.broadcast_address}:
        raise ApiError("ip_not_available", f"IP {address} is not available")
    return text


def mac_address(number: int) -> str:
    """Return the hardware address number `number` of private interfaces."""
    return "86:00:" + ":".join(f"{number:08x}"[place : place + 2] for place in range(0, 8, 2))
