"""Load balancer types and their limits. Source: docs.hetzner.com/cloud/load-balancers/overview."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import EVERYWHERE
from sandbox.hcloud.catalogue.server_types import price_rows

# id, name, connections, services, targets, certificates, EUR a month (net)
_ROWS: Final = (
    (1, "lb11", 10_000, 5, 25, 10, 5.39),
    (2, "lb21", 20_000, 15, 75, 25, 16.4),
    (3, "lb31", 40_000, 30, 150, 50, 32.9),
)
LOAD_BALANCER_TYPES: Final[dict[str, Json]] = {
    name: {
        "id": number,
        "name": name,
        "description": name.upper(),
        "max_connections": connections,
        "max_services": services,
        "max_targets": targets,
        "max_assigned_certificates": certificates,
        "deprecated": None,
        "deprecation": None,
        "prices": price_rows(monthly, EVERYWHERE),
    }
    for number, name, connections, services, targets, certificates, monthly in _ROWS
}
