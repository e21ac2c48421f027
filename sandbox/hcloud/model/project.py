"""One project: its resources as plain rows, its actions, its limits. No HTTP and no rules of single kinds here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.errors import not_found, over_quota
from sandbox.hcloud.model.ratelimit import RateLimit

# What a project may have. New accounts get less (about 10 servers); these are usual after the first raise.
QUOTAS: Final[Mapping[str, int]] = {
    "servers": 100,
    "load_balancers": 25,
    "volumes": 100,
    "volume_gigabytes": 20_000,
    "networks": 50,
    "firewalls": 50,
    "placement_groups": 50,
    "primary_ips": 200,
    "floating_ips": 20,
    "snapshots": 50,
    "ssh_keys": 500,
    "certificates": 50,
    "zones": 25,
}
# Where ids of a kind begin: far apart, so that a mixed-up id finds nothing.
FIRST_IDS: Final[Mapping[str, int]] = {
    "servers": 100_000_001,
    "networks": 11_000_001,
    "firewalls": 2_000_001,
    "placement_groups": 800_001,
    "load_balancers": 4_000_001,
    "volumes": 105_000_001,
    "ssh_keys": 30_000_001,
    "primary_ips": 90_000_001,
    "floating_ips": 70_000_001,
    "images": 400_000_001,
    "certificates": 1_000_001,
    "zones": 600_001,
    "actions": 500_000_000_001,
}
_SINGULAR: Final = {"ssh_keys": "SSH key", "primary_ips": "primary IP", "floating_ips": "floating IP"}


def singular(kind: str) -> str:
    """Return how messages call one of a kind."""
    return _SINGULAR.get(kind, kind.removesuffix("s").replace("_", " "))


@dataclass(kw_only=True)
class Ids:
    """Rising ids per kind, the same ones after the same requests."""

    last: dict[str, int] = field(default_factory=dict)

    def next(self, kind: str) -> int:
        """Return the next id of a kind."""
        self.last[kind] = self.last.get(kind, FIRST_IDS.get(kind, 1) - 1) + 1
        return self.last[kind]


@dataclass(kw_only=True)
class Project:
    """Everything that belongs to one project. Rows are plain JSON; how they look outside is each kind's own affair."""

    name: str
    ids: Ids
    rate: RateLimit
    quotas: dict[str, int] = field(default_factory=lambda: dict(QUOTAS))
    kinds: dict[str, dict[int, Json]] = field(default_factory=lambda: defaultdict(dict))
    actions: dict[int, Json] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)

    def rows(self, kind: str) -> Iterable[Json]:
        """Return all rows of a kind, oldest first."""
        return list(self.kinds[kind].values())

    def find(self, kind: str, number: object) -> Json | None:
        """Return a row by id, None when there is none."""
        return self.kinds[kind].get(int(str(number))) if str(number).isdigit() else None

    def get(self, kind: str, number: object) -> Json:
        """Return a row by id. Raises not_found."""
        if (row := self.find(kind, number)) is None:
            raise not_found(singular(kind), number)
        return row

    def named(self, kind: str, name: str) -> Json | None:
        """Return a row by name, None when there is none."""
        return next((row for row in self.kinds[kind].values() if row.get("name") == name), None)

    def add(self, kind: str, row: Json) -> Json:
        """Keep a new row under a new id; an `id` in it is ignored."""
        row["id"] = self.ids.next(kind)
        self.kinds[kind][row["id"]] = row
        return row

    def remove(self, kind: str, number: int) -> None:
        """Forget a row, if it is there."""
        self.kinds[kind].pop(number, None)

    def check_quota(self, kind: str, *, used: int | None = None, more: int = 1) -> None:
        """Raise resource_limit_exceeded when `more` of a kind would be too many."""
        have = len(self.kinds[kind]) if used is None else used
        if kind in self.quotas and have + more > self.quotas[kind]:
            raise over_quota(f"{kind.removesuffix('s')}_limit")

    def is_locked(self, kind: str, number: int) -> bool:
        """Tell whether a running action holds the resource."""
        return any([kind, number] in self.actions[action]["locks"] for action in self.running)
