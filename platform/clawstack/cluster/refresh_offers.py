"""Prints `offers.yaml` anew from Hetzner's API: what is sold where today, and what your project pays for it.

    python -m clawstack.cluster.refresh_offers > platform/clawstack/cluster/offers.yaml

Deprecated server types are left out; those that exist already keep running.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import hcloud
import yaml

from clawstack.cluster.offers import Offers
from clawstack.cluster.sweep import client_from
from clawstack.errors import NeedsAttentionError

Raw = Mapping[str, Any]


def offers_from(
    *, locations: Iterable[Raw], server_types: Iterable[Raw], balancers: Iterable[Raw], pricing: Raw, today: dt.date
) -> dict[str, Any]:
    """The file's content from four answers of the API; raises KeyError for answers of another shape."""
    return {
        "as_of": today,
        "currency": str(pricing["currency"]),
        "source": "Hetzner Cloud API, prices of the project that asked",
        # Every location is a price region of its own: the API says nothing of regions.
        "locations": {place["name"]: {"zone": place["network_zone"], "prices": place["name"]} for place in locations},
        "server_types": {type_["name"]: _server_type(type_) for type_ in server_types if not type_.get("deprecated")},
        "load_balancer_types": {
            type_["name"]: {"max_targets": int(type_["max_targets"]), "monthly": str(max(_monthly(type_).values()))}
            for type_ in balancers
        },
        "ipv4_monthly": str(_ipv4(pricing)),
        "volume_gb_monthly": str(_net(pricing["volume"]["price_per_gb_month"])),
    }


def _server_type(type_: Raw) -> dict[str, Any]:
    return {
        "arch": type_["architecture"],
        "cores": int(type_["cores"]),
        "memory_gb": float(type_["memory"]),
        "disk_gb": int(type_["disk"]),
        "monthly": {place: str(price) for place, price in sorted(_monthly(type_).items())},
    }


def _monthly(type_: Raw) -> dict[str, Decimal]:
    return {price["location"]: _net(price["price_monthly"]) for price in type_["prices"]}


def _ipv4(pricing: Raw) -> Decimal:
    prices = next(entry["prices"] for entry in pricing["primary_ips"] if entry["type"] == "ipv4")
    return max(_net(price["price_monthly"]) for price in prices)


def _net(price: Raw) -> Decimal:
    return Decimal(str(price["net"])).quantize(Decimal("0.0001")).normalize() + Decimal("0.00")


def ask(client: hcloud.Client, today: dt.date) -> dict[str, Any]:
    """The content, asked from the API."""
    return offers_from(
        locations=_all(client, "/locations", "locations"),
        server_types=_all(client, "/server_types", "server_types"),
        balancers=_all(client, "/load_balancer_types", "load_balancer_types"),
        pricing=client.request(method="GET", url="/pricing")["pricing"],
        today=today,
    )


def _all(client: hcloud.Client, url: str, key: str) -> list[Raw]:
    rows: list[Raw] = []
    page: int | None = 1
    while page is not None:
        answer = client.request(method="GET", url=url, params={"page": page, "per_page": 50})
        rows += answer[key]
        page = (answer.get("meta") or {}).get("pagination", {}).get("next_page")
    return rows


def main() -> int:
    """Run the command; returns the exit status."""
    try:
        content = ask(client_from(os.environ), dt.datetime.now(dt.UTC).date())
    except (NeedsAttentionError, hcloud.APIException) as error:
        print(error.sentence() if isinstance(error, NeedsAttentionError) else error, file=sys.stderr)  # noqa: T201
        return 2
    Offers.model_validate(content)
    print(yaml.safe_dump(content, sort_keys=False, width=120), end="")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
