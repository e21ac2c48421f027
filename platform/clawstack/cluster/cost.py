"""What a plan costs in a month: a pure function of the configuration and the offers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.offers import Offers, shipped_offers
from clawstack.cluster.plan import ClusterPlan, plan_cluster
from clawstack.errors import PermanentError

_BACKUPS_SHARE: Final = Decimal("0.2")  # of the server's price (Hetzner documentation, backups)


@dataclass(frozen=True, kw_only=True, slots=True)
class CostLine:
    """One kind of thing that is billed."""

    what: str
    count: int
    each: Decimal

    def total(self) -> Decimal:
        """EUR per month."""
        return self.count * self.each


@dataclass(frozen=True, kw_only=True, slots=True)
class CostEstimate:
    """Monthly caps in EUR without VAT; traffic and what controllers make later are not in it."""

    lines: tuple[CostLine, ...]
    as_of: str
    source: str

    def total(self) -> Decimal:
        """EUR per month, to the cent."""
        return sum((line.total() for line in self.lines), Decimal(0)).quantize(Decimal("0.01"))

    def document(self) -> dict[str, Any]:
        """As the stack outputs it."""
        return {
            "total": str(self.total()),
            "currency": "EUR",
            "per": "month",
            "without": "VAT, extra traffic, and what controllers of the cluster make later",
            "pricesAsOf": self.as_of,
            "pricesFrom": self.source,
            "lines": [
                {"what": line.what, "count": line.count, "each": str(line.each), "total": str(line.total())}
                for line in self.lines
            ],
        }


def estimate_cost(config: ClusterConfig, offers: Offers | None = None) -> CostEstimate:
    """What the checked configuration costs in a month."""
    offers = offers or shipped_offers()
    lines = tuple(line for line in _lines(config, plan_cluster(config), offers) if line.count)
    return CostEstimate(lines=lines, as_of=offers.as_of.isoformat(), source=offers.source)


def _lines(config: ClusterConfig, plan: ClusterPlan, offers: Offers) -> Iterator[CostLine]:
    servers = Counter((node.server_type, node.location) for node in plan.nodes())
    addresses = sum(node.public for node in plan.nodes())
    if config.nat is not None:
        servers[config.nat.type, config.control_plane.locations[0]] += 1
        addresses += 1
    for (server_type, location), count in sorted(servers.items()):
        yield CostLine(what=f"{server_type} at {location}", count=count, each=_price(offers, server_type, location))
    saved = [node for node in plan.nodes() if node.backups]
    for node in saved[:1]:  # control planes are all of one type; locations of one zone cost the same
        price = _price(offers, node.server_type, node.location) * _BACKUPS_SHARE
        yield CostLine(what="daily backups of a control plane", count=len(saved), each=price)
    yield CostLine(what="public IPv4 address", count=addresses, each=offers.ipv4_monthly)
    if config.api_load_balancer is not None:
        type_ = config.api_load_balancer.type
        yield CostLine(what=f"load balancer {type_}", count=1, each=offers.load_balancer_types[type_].monthly)
    gigabytes = sum(volume.size_gb for volume in config.volumes.values())
    yield CostLine(what="GB of volume", count=gigabytes, each=offers.volume_gb_monthly)


def _price(offers: Offers, server_type: str, location: str) -> Decimal:
    price = offers.price(server_type, location)
    if price is None:  # `rules` refuses such a pool; a cost of nothing would be a lie
        raise PermanentError(f"{server_type} has no price at {location}.", code="unknown_price")
    return price
