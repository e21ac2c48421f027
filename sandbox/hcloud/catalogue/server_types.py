"""Server types: size, architecture, where they exist, what they cost.

Source: hetzner.com/cloud and the API's own list; prices are of the right order, not a quotation.
"""

from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import EUROPE, EVERYWHERE, LOCATIONS

_TAX: Final = 1.19
_HOURS: Final = 625  # a month is billed at most; hourly prices are a little above a month's share
_OVERSEAS: Final = ("ash", "hil", "sin")

# id, name, category, cores, memory GB, disk GB, architecture, cpu, EUR a month (net), locations, deprecated
_ROWS: Final = (
    (22, "cpx11", "regular_purpose", 2, 2, 40, "x86", "shared", 4.35, _OVERSEAS, False),
    (23, "cpx21", "regular_purpose", 3, 4, 80, "x86", "shared", 7.55, _OVERSEAS, False),
    (24, "cpx31", "regular_purpose", 4, 8, 160, "x86", "shared", 13.6, _OVERSEAS, False),
    (25, "cpx41", "regular_purpose", 8, 16, 240, "x86", "shared", 25.2, _OVERSEAS, False),
    (26, "cpx51", "regular_purpose", 16, 32, 360, "x86", "shared", 54.9, _OVERSEAS, False),
    (45, "cax11", "cost_optimized", 2, 4, 40, "arm", "shared", 3.79, EUROPE, False),
    (93, "cax21", "cost_optimized", 4, 8, 80, "arm", "shared", 6.49, EUROPE, False),
    (94, "cax31", "cost_optimized", 8, 16, 160, "arm", "shared", 12.49, EUROPE, False),
    (95, "cax41", "cost_optimized", 16, 32, 320, "arm", "shared", 24.49, EUROPE, False),
    (96, "ccx13", "general_purpose", 2, 8, 80, "x86", "dedicated", 12.49, EVERYWHERE, False),
    (97, "ccx23", "general_purpose", 4, 16, 160, "x86", "dedicated", 24.49, EVERYWHERE, False),
    (98, "ccx33", "general_purpose", 8, 32, 240, "x86", "dedicated", 48.49, EVERYWHERE, False),
    (99, "ccx43", "general_purpose", 16, 64, 360, "x86", "dedicated", 96.49, EVERYWHERE, False),
    (100, "ccx53", "general_purpose", 32, 128, 600, "x86", "dedicated", 192.49, EVERYWHERE, False),
    (101, "ccx63", "general_purpose", 48, 192, 960, "x86", "dedicated", 288.49, EVERYWHERE, False),
    (104, "cx22", "cost_optimized", 2, 4, 40, "x86", "shared", 3.79, EUROPE, True),
    (105, "cx32", "cost_optimized", 4, 8, 80, "x86", "shared", 6.8, EUROPE, True),
    (106, "cx42", "cost_optimized", 8, 16, 160, "x86", "shared", 16.4, EUROPE, True),
    (107, "cx52", "cost_optimized", 16, 32, 320, "x86", "shared", 32.4, EUROPE, True),
    (109, "cpx22", "regular_purpose", 2, 4, 80, "x86", "shared", 6.49, EUROPE, False),
    (110, "cpx32", "regular_purpose", 4, 8, 160, "x86", "shared", 10.99, EUROPE, False),
    (111, "cpx42", "regular_purpose", 8, 16, 320, "x86", "shared", 19.99, EUROPE, False),
    (112, "cpx52", "regular_purpose", 12, 24, 480, "x86", "shared", 28.49, EUROPE, False),
    (113, "cpx62", "regular_purpose", 16, 32, 640, "x86", "shared", 38.99, EUROPE, False),
    (114, "cx23", "cost_optimized", 2, 4, 40, "x86", "shared", 2.99, EUROPE, False),
    (115, "cx33", "cost_optimized", 4, 8, 80, "x86", "shared", 4.99, EUROPE, False),
    (116, "cx43", "cost_optimized", 8, 16, 160, "x86", "shared", 8.99, EUROPE, False),
    (117, "cx53", "cost_optimized", 16, 32, 320, "x86", "shared", 16.99, EUROPE, False),
)
_DEPRECATION: Final = {"announced": "2025-10-16T06:00:00+00:00", "unavailable_after": "2027-12-31T23:59:59+00:00"}


def money(net: float) -> Json:
    """Return a price as the API writes it: net and gross, ten places."""
    return {"net": f"{net:.10f}", "gross": f"{net * _TAX:.10f}"}


def price_rows(monthly: float, locations: tuple[str, ...]) -> list[Json]:
    """Return one price per location."""
    return [
        {
            "location": name,
            "price_hourly": money(monthly / _HOURS),
            "price_monthly": money(monthly),
            "included_traffic": 20 * 1024**4 if name in EUROPE else 1024**4,
            "price_per_tb_traffic": money(1.0),
        }
        for name in locations
    ]


def _row(row: tuple[Any, ...]) -> Json:
    number, name, category, cores, memory, disk, architecture, cpu, monthly, locations, deprecated = row
    deprecation = _DEPRECATION if deprecated else None
    places = [
        {"id": LOCATIONS[one]["id"], "name": one, "deprecation": deprecation, "available": True, "recommended": False}
        for one in locations
    ]
    return {
        "id": number,
        "name": name,
        "description": name.upper(),
        "category": category,
        "cores": cores,
        "memory": float(memory),
        "disk": disk,
        "deprecated": deprecated,
        "deprecation": deprecation,
        "prices": price_rows(monthly, locations),
        "storage_type": "local",
        "cpu_type": cpu,
        "architecture": architecture,
        "locations": places,
    }


SERVER_TYPES: Final[dict[str, Json]] = {str(row[1]): _row(row) for row in _ROWS}


def exists_in(server_type: Json, location: str) -> bool:
    """Tell whether a type is offered in a location at all."""
    return any(place["name"] == location for place in server_type["locations"])
