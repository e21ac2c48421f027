"""Decides which tasks of a set-up may run at the same time. Pure: it starts nothing and looks at no machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import Board

Act = Callable[[Surroundings, Board], None]


class Use(StrEnum):
    """What only so many tasks may have at the same time."""

    APT = "apt"
    NPM = "npm"
    GO = "go"


AT_ONCE: Final[Mapping[Use, int]] = MappingProxyType({Use.APT: 1, Use.NPM: 1, Use.GO: 2})
"""apt and npm lock what they change. One Go build uses all cores, but not while it fetches modules and links: a second
one fills these gaps, a third would only take memory (a link of Kubernetes' server takes a gigabyte)."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The smallest thing that is got on its own: there afterwards, or an error that says why not."""

    name: str
    act: Act
    after: tuple[str, ...] = ()
    """Tasks whose result it needs. One that was not asked for is taken to be there; the task itself looks."""
    use: Use | None = None


def startable(
    tasks: Sequence[Task], *, done: AbstractSet[str], running: AbstractSet[str], at_once: Mapping[Use, int] = AT_ONCE
) -> tuple[Task, ...]:
    """Those that may start now beside what is running, in the order of `tasks`, which is their order of preference."""
    wanted = {task.name for task in tasks}
    used = Counter(task.use for task in tasks if task.name in running and task.use)
    chosen: list[Task] = []
    for task in tasks:
        waits = wanted.intersection(task.after) - done
        full = task.use is not None and used[task.use] >= at_once[task.use]
        if task.name in done or task.name in running or waits or full:
            continue
        chosen.append(task)
        if task.use is not None:
            used[task.use] += 1
    return tuple(chosen)


def merged(groups: Iterable[Sequence[Task]]) -> tuple[Task, ...]:
    """The tasks of several parts, each once."""
    return tuple({task.name: task for group in groups for task in group}.values())
