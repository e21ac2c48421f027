"""The price list that `GET /pricing` answers."""

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.load_balancer_types import LOAD_BALANCER_TYPES
from sandbox.hcloud.catalogue.locations import EVERYWHERE
from sandbox.hcloud.catalogue.server_types import SERVER_TYPES, money


def pricing() -> Json:
    """Return all prices in EUR."""
    addresses = [
        {"type": version, "prices": [{"location": name, "price_monthly": money(monthly)} for name in EVERYWHERE]}
        for version, monthly in (("ipv4", 3.0), ("ipv6", 1.0))
    ]
    hourly = {"ipv4": 0.0008, "ipv6": 0.0}
    primary = [
        {
            "type": version,
            "prices": [
                {"location": name, "price_hourly": money(rate), "price_monthly": money(rate * 625)}
                for name in EVERYWHERE
            ],
        }
        for version, rate in hourly.items()
    ]
    return {
        "currency": "EUR",
        "vat_rate": "19.000000",
        "image": {"price_per_gb_month": money(0.011)},
        "floating_ip": {"price_monthly": money(3.0)},
        "floating_ips": addresses,
        "primary_ips": primary,
        "server_backup": {"percentage": "20.0000000000"},
        "volume": {"price_per_gb_month": money(0.044)},
        "server_types": _types(SERVER_TYPES),
        "load_balancer_types": _types(LOAD_BALANCER_TYPES),
    }


def _types(rows: dict[str, Json]) -> list[Json]:
    return [{"id": row["id"], "name": row["name"], "prices": row["prices"]} for row in rows.values()]
