"""Which tests run in one worker, one after the other, and which groups go first. Pure: from a test's path alone.

A group is what workers share out among themselves. Tests stay together when they share a costly fixture or a thing of
which the machine has one; everything else is a group per module, so that fixtures of a module are made once.

What the machine has once, read from the tests and the product:

- the test cluster: folder, interface `clawstack0`, packet filter, control groups, sysctls, and the record that says
  which cluster runs here. tests/e2e/cluster compares all of them before and after: its group is `machine`, and so is
  whatever uses the session's cluster, and tests/integration/cluster, which writes that record;
- ports: a worker draws free ones from the kernel or, for cells, by the hash of a random slug out of 8000, and asks
  whether they are free: two workers collide as rarely as two tests of one worker did with what else ran;
- accounts of cells: named after random slugs, made under the product's own lock (/run/clawstack-locks/accounts.lock);
- packet filter rules of process cells: a table for each data folder, elements for each account;
- PostgreSQL: every worker has a server of its own, in a folder of its own, on a socket;
- tests that look at all processes (`psutil.process_iter`) ask for a folder, an account or a mark of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

MACHINE: Final = "machine"
WORLD: Final = "world"

#: Folders whose tests stay together, and the group that they form.
TOGETHER: Final[Mapping[str, str]] = {
    # One Kubernetes node for a machine. The longest chain of all, so it starts first.
    "tests/e2e/cluster": MACHINE,
    "tests/e2e/in_cluster": MACHINE,
    "tests/e2e/namespace": MACHINE,
    "tests/e2e/namespace_story": MACHINE,
    "tests/integration/cluster": MACHINE,
    # The session's platform with its customers and their live gateways (tests/e2e/conftest.py).
    "tests/e2e/spine": WORLD,
    "tests/e2e/attack": WORLD,
    "tests/e2e/browser": WORLD,
    # One API server for the folder.
    "tests/e2e/control_plane": "tests/e2e/control_plane",
}
#: Modules that need nothing of their folder's group.
APART: Final = frozenset(
    {
        # Brings a cluster of pretended nodes, which changes nothing on the machine.
        "tests/e2e/cluster/test_bench_provision_smoke.py",
    }
)
#: Groups whose session fixtures are worth so much memory and processor that they end with the group.
COSTLY: Final = frozenset({MACHINE, WORLD, "tests/e2e/control_plane"})
_UNIT: Final = "tests/unit/"
_REAL: Final = ("tests/integration/", "tests/e2e/")
#: What a group takes that nobody measured yet, in seconds.
_UNKNOWN: Final = 20.0


@dataclass(frozen=True, kw_only=True, order=True)
class Rank:
    """Where a group stands in the queue: machine, then the rest by length, units at last as filler."""

    stage: int
    shorter: float
    name: str


def group_of(nodeid: str) -> str:
    """The group's name: a word, a folder or a module."""
    module = nodeid.split("::", 1)[0]
    if module in APART:
        return module
    for folder in map(str, PurePosixPath(module).parents):
        if folder in TOGETHER:
            return TOGETHER[folder]
    return module


def touches_real_processes(nodeid: str) -> bool:
    """Whether a test may fail because something outside of Python was slow: those get a second try."""
    return nodeid.startswith(_REAL)


def ordered(groups: Iterable[str], seconds: Mapping[str, float]) -> list[str]:
    """The order in which workers take groups: the longest first, or one of them would run alone at the end."""
    return sorted(groups, key=lambda name: _rank(name, seconds))


def _rank(name: str, seconds: Mapping[str, float]) -> Rank:
    stage = 0 if name == MACHINE else 2 if name.startswith(_UNIT) else 1
    return Rank(stage=stage, shorter=-seconds.get(name, _UNKNOWN), name=name)
