"""How the story is told: one line a step with its time, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from clawstack.visible import visible


@dataclass(kw_only=True)
class Step:
    """A step under way; `seen` is what was observed, in a few words."""

    name: str
    seconds: float = 0.0
    seen: str = ""


@dataclass(kw_only=True)
class Telling:
    """Prints as it goes and remembers for the summary."""

    console: Console
    steps: list[Step] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    gateway_seconds: float = 0.0
    """OpenClaw's own share: its start and its first answer."""

    def count_for_gateway(self, seconds: float) -> None:
        """Count this time as OpenClaw's own."""
        self.gateway_seconds += seconds

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """One step: its line is printed when the block ends, with a cross when it raised."""
        step = Step(name=name)
        begun = time.monotonic()
        try:
            with self.console.status(name):
                yield step
        except BaseException:
            self.console.print(f"[red]✗[/red] {name} [dim]({time.monotonic() - begun:.1f} s)[/dim]")
            raise
        step.seconds = time.monotonic() - begun
        self.steps.append(step)
        seen = f"  [dim]{visible(step.seen)}[/dim]" if step.seen else ""
        self.console.print(f"[green]✓[/green] {name} [cyan]{step.seconds:.1f} s[/cyan]{seen}")

    def say(self, text: str) -> None:
        """A line between steps."""
        self.console.print(visible(text, keep="\n"))

    def summary(self) -> None:
        """The table of times."""
        table = Table(title="What happened", title_justify="left", box=None, header_style="bold", pad_edge=False)
        table.add_column("step")
        table.add_column("seconds", justify="right")
        table.add_column("what was observed", overflow="fold")
        for step in self.steps:
            table.add_row(step.name, f"{step.seconds:.1f}", visible(step.seen))
        altogether = time.monotonic() - self.started
        table.add_row("[bold]altogether[/bold]", f"[bold]{altogether:.1f}[/bold]", "")
        self.console.print()
        self.console.print(table)
        self.console.print(
            f"Of {altogether:.1f} s the gateway itself took {self.gateway_seconds:.1f} s to start and to answer first; "
            f"everything else took {altogether - self.gateway_seconds:.1f} s."
        )
