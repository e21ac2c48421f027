"""Paid checkouts at once, beside kubectl: wall time, CPU and memory per operation.

The control plane is a real one, its nodes are KWOK's; the platform is the whole one, with its policy pack.

Environment: BENCH_CHECKOUTS (100) pay at once, BENCH_CELLS (500) in all; BENCH_SAMPLE (20) operations are measured at a
time; BENCH_CONCURRENCY (8) operations of the worker at once; BENCH_DEADLINE (1800) seconds for each phase; BENCH_SAVE=1
writes bench/results/provision-<date>.md. Needs no root.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rich.console import Console

from bench._control_plane import ControlPlane, control_plane
from bench._customers import Customers, LateError
from bench._ground import on_control_plane
from bench._kubectl import Kubectl
from bench._machine import facts
from bench._meter import Meter
from bench._provision_table import Phase, Report, Rival, growth, render, scales, with_rivals
from clawstack.errors import ClawstackError
from tenants.namespace.settings import NamespaceSettings
from toolchain.cluster.pins import KUBERNETES, KWOK
from toolchain.locate import locate

_RESULTS: Final = Path(__file__).parent / "results"
_PACKAGES: Final = ("pulumi", "pulumi-kubernetes", "lightkube", "procrastinate", "sqlalchemy", "psycopg")
_PLATFORM: Final = "platform"
_PROVISION, _UPDATE, _DESTROY = "first provision", "update", "destroy"
_AT_ONCE: Final = "paid checkouts at once"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the environment asks for."""

    checkouts: int = 100
    cells: int = 500
    sample: int = 20
    concurrency: int = 8
    """Twice the worker's default: operations on namespaces wait for the cluster more than they work."""
    deadline: int = 1800
    save: int = 0

    @classmethod
    def read(cls) -> Options:
        """From BENCH_*; exits with a sentence where one is no number."""
        names = ("checkouts", "cells", "sample", "concurrency", "deadline", "save")
        said = {name: os.environ[f"BENCH_{name.upper()}"] for name in names if os.environ.get(f"BENCH_{name.upper()}")}
        wrong = [f"BENCH_{name.upper()}={value}" for name, value in said.items() if not value.isdigit()]
        if wrong:
            sys.exit(f"These must be whole numbers: {', '.join(wrong)}")
        values: dict[str, Any] = {name: int(value) for name, value in said.items()}
        return cls(**values)


@dataclass(kw_only=True)
class Run:
    """One run under way."""

    options: Options
    customers: Customers
    meter: Meter
    console: Console
    phases: list[Phase] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    turn: int = 0

    def everything(self) -> None:
        """Warm up, measure at every size, destroy all. Raises LateError after noting the phase that took too long."""
        self._warm_up()
        for cells in scales(self.options.checkouts, self.options.cells):
            self._reach(cells)
            self._update(cells)
            self._destroy(self.alive[-self.options.sample :], at=cells)
        if self.alive:
            self._destroy(list(self.alive), at=len(self.alive), name="destroy of all the rest")

    def _warm_up(self) -> None:
        """The first operation of a worker loads Pulumi and its SDKs."""
        self.console.print("warming up with one cell")
        self.customers.order(1)
        until = time.monotonic() + self.options.deadline
        self.customers.destroy(self.customers.await_healthy(1, until=until))
        self.customers.await_gone(0, until=until)

    def _reach(self, cells: int) -> None:
        if cells <= self.options.checkouts:
            waiting = self.customers.sign_up(cells - len(self.alive))
            name = _PROVISION if cells < self.options.checkouts else _AT_ONCE
            self._grow(len(waiting), lambda: self.customers.pay(waiting), name=name)
            return
        sample = min(self.options.sample, cells - len(self.alive))
        rest = cells - len(self.alive) - sample
        if rest:
            self._grow(rest, lambda: self.customers.order(rest), name="growth")
        self._grow(sample, lambda: self.customers.order(sample), name=_PROVISION)

    def _grow(self, count: int, begin: Callable[[], None], *, name: str) -> None:
        goal = len(self.alive) + count

        def work(until: float) -> None:
            begin()
            self.alive = self.customers.await_healthy(goal, until=until)

        self._phase(name, count, work, cells=goal)

    def _update(self, cells: int) -> None:
        chosen = self.alive[: self.options.sample]
        self.turn += 1

        def work(until: float) -> None:
            self.customers.update(chosen, turn=self.turn - 1)
            self.customers.await_healthy(len(self.alive), until=until)

        self._phase(_UPDATE, len(chosen), work, cells=cells)

    def _destroy(self, slugs: Sequence[str], *, at: int, name: str = _DESTROY) -> None:
        left = len(self.alive) - len(slugs)

        def work(until: float) -> None:
            self.customers.destroy(slugs)
            self.customers.await_gone(left, until=until)
            self.alive = [slug for slug in self.alive if slug not in set(slugs)]

        self._phase(name, len(slugs), work, cells=at)

    def _phase(self, name: str, count: int, work: Callable[[float], None], *, cells: int) -> None:
        self.console.print(f"{name}: {count}, at {cells} cells")
        operations, before = self.customers.operations(), self.meter.read()
        late: LateError | None = None
        try:
            work(time.monotonic() + self.options.deadline)
        except LateError as error:
            late = error
        after = self.meter.read()
        ended = self.customers.finished(operations)
        failed = [each for each in ended if each.status != "succeeded"]
        for each in failed[:3]:
            self.console.print(f"  {each.kind} {each.status}: {each.error}")
        phase = Phase(
            operation=name,
            cells=cells,
            count=count,
            wall=after.at - before.at,
            before=before,
            after=after,
            seconds=[each.seconds for each in ended],
            failed=len(failed),
            late=None if late is None else late.message,
        )
        self.phases.append(phase)
        self.console.print(
            f"  {phase.wall:.1f} s; CPU-seconds each: {phase.engine_cpu:.2f} in the engine, "
            f"{phase.named_cpu(_PLATFORM):.2f} in the platform"
        )
        if late is not None:
            raise late


def compare(
    plane: ControlPlane, settings: NamespaceSettings, options: Options, console: Console
) -> dict[tuple[str, int], Rival]:
    """The same numbers of cells with kubectl, once the platform has stopped."""
    found: dict[tuple[str, int], Rival] = {}
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as folder:
        kubectl = Kubectl(plane, settings, folder=Path(folder), at_once=options.concurrency, seconds=options.deadline)
        alive: list[int] = []
        for cells in scales(options.checkouts, options.cells):
            console.print(f"kubectl: {cells} cells")
            new = list(range(len(alive), cells))
            measured = new if cells <= options.checkouts else new[-options.sample :]
            kubectl.grow([cell for cell in new if cell not in set(measured)])
            name = _AT_ONCE if cells == options.checkouts else _PROVISION
            found[name, cells] = kubectl.provision(measured)
            alive += new
            found[_UPDATE, cells] = kubectl.update(alive[: options.sample])
            found[_DESTROY, cells] = kubectl.destroy(alive[-options.sample :])
            alive = alive[: -options.sample]
    return found


def main() -> int:
    """Run, print, and keep the report if asked; 1 where something was not done in its time."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this with SIGINT ignored
        signal.signal(number, _as_interrupt)
    options, console = Options.read(), Console(stderr=True)
    lines = [*facts(_PACKAGES), _versions(), _workload(options)]
    late = False
    with (
        control_plane(cells=options.cells + options.checkouts) as plane,
        on_control_plane(plane, options.concurrency) as ground,
    ):
        pids = {_PLATFORM: ground.platform, **plane.pids, **ground.others}
        with Meter(lambda: pids) as meter:
            run = Run(options=options, customers=Customers(ground.world), meter=meter, console=console)
            try:
                run.everything()
            except LateError as error:
                late = True
                console.print(f"stopped: {error.message}")
            notes = _notes(run, meter)
        ground.world.stop(_PLATFORM)
        rivals: dict[tuple[str, int], Rival] = {}
        try:
            if not late:
                rivals = compare(plane, ground.settings, options, console)
        except ClawstackError as error:  # what was measured before is not lost for it
            late = True
            notes.append(f"the comparison with kubectl broke off: {error.sentence()}")
    phases = with_rivals(run.phases, rivals)
    text = render(Report(facts=lines, notes=notes, phases=phases, parts=tuple(pids)))
    sys.stdout.write(text)
    if options.save:
        _RESULTS.mkdir(exist_ok=True)
        (_RESULTS / f"provision-{datetime.now(UTC):%Y-%m-%d}.md").write_text(text)
    return int(late)


def _versions() -> str:
    tools = locate()
    plugins = ", ".join(f"{plugin.name} {plugin.origin} {plugin.version}" for plugin in tools.plugins)
    return f"Pulumi CLI {tools.pulumi_version}; plugins: {plugins}; Kubernetes {KUBERNETES}, KWOK {KWOK}"


def _workload(options: Options) -> str:
    return (
        f"{options.checkouts} paid checkouts at once, {options.cells} cells in all, samples of {options.sample}; "
        f"worker and kubectl do {options.concurrency} things at once; policy pack on"
    )


def _notes(run: Run, meter: Meter) -> list[str]:
    reading = meter.read()
    resident = reading.resident.get(_PLATFORM, 0) / 1e6
    notes = [
        "pods are fake: ready as soon as they have a node, so no time here is that of a gateway's start",
        "fake pods hold nothing: cells are destroyed without a backup, and suspending is not measured",
        "the platform's process serves pages, API and webhooks, works, and runs the Pulumi programs of all operations",
        f"platform's process at most {resident:.0f} MB resident; looking at processes took {reading.own:.1f} CPU-seconds",
    ]
    for operation in (_PROVISION, _UPDATE, _DESTROY):
        factor = growth([*run.phases], operation)
        if factor is not None:
            notes.append(
                f"{operation} at the most cells takes {factor:.2f} times the engine's CPU of that at the fewest"
            )
    return notes


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted; everything that was started is stopped.")
