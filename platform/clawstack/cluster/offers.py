"""What Hetzner sells: locations, server types and prices, from the file beside this module."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Arch(StrEnum):
    """Processor architecture, in Hetzner's words."""

    X86 = "x86"
    ARM = "arm"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Location(_Frozen):
    """One place with data centres."""

    zone: str
    """Network zone: a subnet lies in exactly one."""
    prices: str
    """Price region."""


class ServerType(_Frozen):
    """One size of server."""

    arch: Arch
    cores: int
    memory_gb: float
    disk_gb: int
    monthly: dict[str, Decimal]
    """EUR per month without VAT and IPv4, by price region; a region that is missing does not have this type."""


class LoadBalancerType(_Frozen):
    """One size of load balancer."""

    max_targets: int
    monthly: Decimal


class Offers(_Frozen):
    """Everything in `offers.yaml`."""

    as_of: date
    currency: str
    source: str
    locations: dict[str, Location]
    server_types: dict[str, ServerType]
    load_balancer_types: dict[str, LoadBalancerType]
    ipv4_monthly: Decimal = Field(ge=0)
    volume_gb_monthly: Decimal = Field(ge=0)

    def price(self, server_type: str, location: str) -> Decimal | None:
        """EUR per month, None when the type is not sold there."""
        return self.server_types[server_type].monthly.get(self.locations[location].prices)

    def types_at(self, location: str) -> list[str]:
        """Server types that are sold at the location, cheapest first."""
        prices = {name: self.price(name, location) for name in self.server_types}
        sold = {name: price for name, price in prices.items() if price is not None}
        return sorted(sold, key=lambda name: (sold[name], name))


def load_offers(text: str | None = None) -> Offers:
    """The offers from `text`, or the shipped file."""
    raw = files("clawstack.cluster").joinpath("offers.yaml").read_text() if text is None else text
    return Offers.model_validate(yaml.safe_load(raw))


@cache
def shipped_offers() -> Offers:
    """The shipped file, read once."""
    return load_offers()
