"""The arithmetic of `bench/provision.py` and the tables that it ends in. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench._meter import Reading

MEGA: Final = 1_000_000
_ENGINE: Final = ("cli", "plugin", "pack", "host", "other")


@dataclass(frozen=True, kw_only=True)
class Rival:
    """kubectl with the same manifests: one process per cell."""

    count: int
    wall: float
    """Seconds until the last process ended."""
    settled: float
    """Seconds until all pods were ready, or all namespaces gone."""
    cpu: float
    """CPU seconds of all processes."""
    peak: int
    """Most resident memory of one, bytes."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What one part of the run came to."""

    operation: str
    cells: int
    """In all, when it was done (or before it, for destroys)."""
    count: int
    """Operations asked for."""
    wall: float
    before: Reading
    after: Reading
    seconds: Sequence[float] = ()
    """Of each operation, from its start to its recorded end."""
    failed: int = 0
    """Operations that ended otherwise than well; each was tried again."""
    late: str | None = None
    """What was not done when the phase's time was over; its figures are those of an unfinished phase."""
    rival: Rival | None = None

    @property
    def done(self) -> int:
        """Operations that ended, those tried again counted once more."""
        return len(self.seconds)

    def cpu(self, part: str) -> float:
        """CPU seconds per operation of one part of the engine."""
        return (self.after.by_part[part] - self.before.by_part[part]) / self.count

    @property
    def engine_cpu(self) -> float:
        """CPU seconds per operation in CLI, plugins, pack and language host: the larger of two accounts.

        Looks miss the last moment of each process; the kernel's sum misses what nobody waited for.
        """
        looked = sum(self.cpu(part) for part in _ENGINE)
        return max(looked, (self.after.ended - self.before.ended) / self.count)

    @property
    def unseen(self) -> float:
        """CPU seconds per operation that the kernel counted and the looks did not see."""
        return self.engine_cpu - sum(self.cpu(part) for part in _ENGINE)

    def named_cpu(self, name: str) -> float:
        """CPU seconds per operation of a process with a name."""
        return (self.after.by_name.get(name, 0.0) - self.before.by_name.get(name, 0.0)) / self.count

    @property
    def runs(self) -> float:
        """CLI processes per operation."""
        return (self.after.runs - self.before.runs) / self.count

    @property
    def peaks(self) -> tuple[int, ...]:
        """Memory peaks of the CLI's runs in this phase, each with everything it started, bytes."""
        return self.after.peaks[len(self.before.peaks) :]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that was found."""

    facts: Sequence[str]
    notes: Sequence[str]
    phases: Sequence[Phase]
    parts: Sequence[str] = field(default=())
    """Names of the long-lived processes, in the order of the second table."""


def render(report: Report) -> str:
    """The report in Markdown."""
    lines = ["# Provisioning cells in namespaces", "", *(f"- {line}" for line in [*report.facts, *report.notes])]
    for title, table in (
        ("Operations", _operations(report.phases)),
        ("CPU-seconds per operation in the engine's processes", _engine(report.phases)),
        ("CPU-seconds per operation in everything else", _others(report.phases, report.parts)),
    ):
        lines += ["", f"## {title}", "", *table]
    trouble = [line for phase in report.phases for line in _trouble(phase)]
    if trouble:
        lines += ["", "## What did not go well", "", *trouble]
    return "\n".join(lines) + "\n"


def _operations(phases: Iterable[Phase]) -> list[str]:
    head = (
        *("operation", "cells", "how many", "wall s", "one takes s (p50, p95)", "CPU-s each: engine", "platform"),
        *("peak MB (p50, max)", "kubectl: wall s", "settled s", "CPU-s each", "peak MB"),
    )
    return _table(head, (_operation(phase) for phase in phases))


def _operation(phase: Phase) -> list[str]:
    peaks = [peak / MEGA for peak in phase.peaks]
    rival = phase.rival
    beside = (
        [f"{rival.wall:.1f}", f"{rival.settled:.1f}", f"{rival.cpu / rival.count:.2f}", f"{rival.peak / MEGA:.0f}"]
        if rival
        else ["", "", "", ""]
    )
    return [
        phase.operation + (" (late)" if phase.late else ""),
        str(phase.cells),
        str(phase.count),
        f"{phase.wall:.1f}",
        f"{percentile(phase.seconds, 50):.1f}, {percentile(phase.seconds, 95):.1f}" if phase.seconds else "",
        f"{phase.engine_cpu:.2f}",
        f"{phase.named_cpu('platform'):.2f}",
        f"{statistics.median(peaks):.0f}, {max(peaks):.0f}" if peaks else "",
        *beside,
    ]


def _engine(phases: Iterable[Phase]) -> list[str]:
    head = ("operation", "cells", "CLI runs", "CLI", "plugin", "pack", "language host", "starters", "unseen", "sum")
    return _table(
        head,
        (
            [
                *(phase.operation, str(phase.cells), f"{phase.runs:.1f}"),
                *(f"{phase.cpu(part):.2f}" for part in _ENGINE),
                *(f"{phase.unseen:.2f}", f"{phase.engine_cpu:.2f}"),
            ]
            for phase in phases
        ),
    )


def _others(phases: Iterable[Phase], names: Sequence[str]) -> list[str]:
    head = ("operation", "cells", *names)
    return _table(
        head,
        ([phase.operation, str(phase.cells), *(f"{phase.named_cpu(name):.2f}" for name in names)] for phase in phases),
    )


def _trouble(phase: Phase) -> list[str]:
    what = f"{phase.operation} at {phase.cells} cells"
    lines = [f"- {what}: not done in its time: {phase.late}."] if phase.late else []
    if phase.failed:
        lines.append(f"- {what}: {phase.failed} operations failed and were tried again.")
    if not phase.late and phase.done != phase.count:
        lines.append(f"- {what}: {phase.done} operations ran for {phase.count} that were asked for.")
    return lines


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` per cent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 100).__trunc__() - 1)] if ordered else float("nan")


def scales(checkouts: int, cells: int, *, first: int = 10) -> tuple[int, ...]:
    """The numbers of cells at which is measured."""
    return tuple(sorted({min(first, checkouts), checkouts, max(checkouts, cells)}))


def growth(phases: Iterable[Phase], operation: str) -> float | None:
    """CPU of an operation at the most cells, as a multiple of that at the fewest; None where only one was measured."""
    found = sorted((phase for phase in phases if phase.operation == operation), key=lambda phase: phase.cells)
    return found[-1].engine_cpu / found[0].engine_cpu if len(found) > 1 and found[0].engine_cpu else None


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def with_rivals(phases: Iterable[Phase], rivals: Mapping[tuple[str, int], Rival]) -> list[Phase]:
    """The phases, each with kubectl's figures where there are any."""
    return [replace(phase, rival=rivals.get((phase.operation, phase.cells))) for phase in phases]
