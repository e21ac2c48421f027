"""The parts of a set-up as people name them, and the tasks that each is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from toolchain.cluster import builds
from toolchain.image import building as image
from toolchain.steps import judges, linters, openclaw, plugins, pulumi, system
from toolchain.tasks.planning import Task, merged

PARTS: Final[Mapping[str, tuple[Task, ...]]] = MappingProxyType(
    {
        "pulumi": pulumi.TASKS,
        "plugins": plugins.TASKS,
        "openclaw": openclaw.TASKS,
        "system": system.SYSTEM_TASKS,
        "chromium": system.CHROMIUM_TASKS,
        "judges": judges.TASKS,
        "linters": linters.TASKS,
        "cluster": builds.TASKS,
        "kwok": builds.KWOK_TASKS,
        "image": image.TASKS,
    }
)
OPTIONAL: Final = frozenset({"chromium"})
"""Parts that the product can do without: `all` goes on when they cannot be had."""
ON_DEMAND: Final = frozenset({"judges", "linters", "cluster", "kwok", "image"})
"""Parts that take minutes and serve tests alone: got when they are named."""
_LONGEST: Final = ("pause", "kubernetes", "pulumi", "kwok", "coredns", "local_path", "kube-score")
"""Builds in the order in which they are begun: what others wait for, then what takes longest, so that none is left
alone at the end."""


def wanted(parts: Collection[str]) -> tuple[Task, ...]:
    """The tasks of the parts that were named (`all`: those that are not on demand), in the order of preference."""
    everything = "all" in parts
    named = [name for name in PARTS if name in parts or (everything and name not in ON_DEMAND)]
    return tuple(sorted(merged(PARTS[name] for name in named), key=_preference))


def optional(parts: Collection[str]) -> frozenset[str]:
    """The tasks whose failure does not stop the set-up."""
    return frozenset(task.name for part in OPTIONAL for task in PARTS[part]) if "all" in parts else frozenset()


def _preference(task: Task) -> int:
    return _LONGEST.index(task.name) if task.name in _LONGEST else len(_LONGEST)
