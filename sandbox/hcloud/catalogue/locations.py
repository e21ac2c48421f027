"""Locations. Source: docs.hetzner.com/cloud/general/locations."""

from typing import Final

from sandbox.frame.values import Json

# id, name, network zone, country, city, latitude, longitude
_ROWS: Final = (
    (1, "fsn1", "eu-central", "DE", "Falkenstein", 50.47612, 12.370071),
    (2, "nbg1", "eu-central", "DE", "Nuremberg", 49.452102, 11.076665),
    (3, "hel1", "eu-central", "FI", "Helsinki", 60.169855, 24.938379),
    (4, "ash", "us-east", "US", "Ashburn, VA", 39.045821, -77.487073),
    (5, "hil", "us-west", "US", "Hillsboro, OR", 45.54222, -122.951924),
    (6, "sin", "ap-southeast", "SG", "Singapore", 1.283333, 103.833333),
)

LOCATIONS: Final[dict[str, Json]] = {
    name: {
        "id": number,
        "name": name,
        "description": f"{city} DC Park 1",
        "country": country,
        "city": city,
        "latitude": latitude,
        "longitude": longitude,
        "network_zone": zone,
    }
    for number, name, zone, country, city, latitude, longitude in _ROWS
}
EUROPE: Final = ("fsn1", "nbg1", "hel1")
EVERYWHERE: Final = tuple(LOCATIONS)
ZONES: Final = ("eu-central", "us-east", "us-west", "ap-southeast")


def zone_of(location: str) -> str:
    """Return the network zone of a location."""
    return str(LOCATIONS[location]["network_zone"])


def find(rows: dict[str, Json], id_or_name: object) -> Json | None:
    """Return a row by id (number or digits) or name."""
    text = str(id_or_name)
    return rows.get(text) or next((row for row in rows.values() if str(row["id"]) == text), None)
