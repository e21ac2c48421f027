"""`clawstack doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from services.cli.output import Output
from services.cli.session import guarded


def doctor(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    production: Annotated[bool, typer.Option(help="Judge as a production machine: offline plugins fail.")] = False,
) -> None:
    """Tell what this machine has, which Pulumi plugins are official or offline, and the command that mends what is missing.

    Exit code 0 only when everything needed is there.
    """
    from toolchain.doctor import examine  # late: keeps `--help` fast

    output = Output(json=json)
    report = guarded(output, lambda: examine(production=production))
    if json:
        output.document(asdict(report))
    else:
        rows = [("✓" if c.ok else "✗", c.name, c.found, "" if c.ok else c.remedy or "") for c in report.checks]
        output.table("This machine", ["", "what", "found", "remedy"], rows, empty="Nothing was checked.")
    if not all(check.ok for check in report.checks):
        raise typer.Exit(1)
