"""Private addresses: a function of the pool's own entry and the node's number, and of nothing else.

That is why adding, removing or reordering pools can move nobody (docs/adr/0010-addresses.md). The /16 is cut into 256
ranges of /24: range 0 is infrastructure, range 1 the control planes, 10 to 249 one worker pool each. Which one is a hash of
the pool's name unless the pool says `slot` itself; two pools with one slot are refused before anything is made.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

FIRST_SLOT: Final = 10
LAST_SLOT: Final = 249
_INFRASTRUCTURE_SLOT: Final = 0
_CONTROL_PLANE_SLOT: Final = 1
#: Hetzner keeps the first addresses of a range to itself (gateway, network); ours begin well above.
_FIRST_HOST: Final = 10
MAX_NUMBER: Final = 240
_GATEWAY_HOST: Final = 1
_NAT_HOST: Final = 2
_LOAD_BALANCER_HOST: Final = 3


def hashed_slot(pool: str) -> int:
    """The slot of a pool that names none: stable for ever, spread by SHA-256."""
    digest = hashlib.sha256(pool.encode()).digest()
    return FIRST_SLOT + int.from_bytes(digest[:8], "big") % (LAST_SLOT - FIRST_SLOT + 1)


def free_slot(taken: Iterable[int]) -> int:
    """The lowest slot that nobody has; there are more slots than Hetzner allows subnets (50 in a network)."""
    used = set(taken)
    return next(slot for slot in range(FIRST_SLOT, LAST_SLOT + 1) if slot not in used)


def colliding(slots: Mapping[str, int]) -> tuple[str, str] | None:
    """Two pools that would share a range, in alphabetical order; None when all are apart."""
    holder: dict[int, str] = {}
    for pool in sorted(slots):
        if slots[pool] in holder:
            return holder[slots[pool]], pool
        holder[slots[pool]] = pool
    return None


def slot_range(network: str, slot: int) -> str:
    """The /24 of a slot."""
    return str(ipaddress.IPv4Network((int(ipaddress.IPv4Network(network).network_address) + slot * 256, 24)))


def infrastructure_range(network: str) -> str:
    """Where NAT gateway and load balancer live."""
    return slot_range(network, _INFRASTRUCTURE_SLOT)


def control_plane_range(network: str) -> str:
    """Where the control planes live."""
    return slot_range(network, _CONTROL_PLANE_SLOT)


def node_address(subnet: str, number: int) -> str:
    """Address of node `number` (from 1) of the pool that owns the range."""
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError(f"node {number} is not within 1 to {MAX_NUMBER}")
    return str(ipaddress.IPv4Network(subnet).network_address + _FIRST_HOST + number)


def gateway_address(network: str) -> str:
    """Hetzner's router: the first address of the whole network."""
    return str(ipaddress.IPv4Network(network).network_address + _GATEWAY_HOST)


def nat_address(network: str) -> str:
    """The NAT gateway."""
    return str(ipaddress.IPv4Network(network).network_address + _NAT_HOST)


def load_balancer_address(network: str) -> str:
    """The private address of the API load balancer."""
    return str(ipaddress.IPv4Network(network).network_address + _LOAD_BALANCER_HOST)
