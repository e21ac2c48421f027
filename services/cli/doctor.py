"""`clawstack doctor`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from clawstack.errors import ClawstackError, NeedsAttentionError
from services.cli.output import Output
from services.cli.session import guarded

if TYPE_CHECKING:
    from toolchain.doctor import Check


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
    report = guarded(output, lambda: examine(production=production, needed=_needed()))
    report = replace(report, checks=(*report.checks, guarded(output, lambda: _walls(production=production))))
    if json:
        output.document(asdict(report))
    else:
        rows = [("✓" if c.ok else "✗", c.name, c.found, "" if c.ok else c.remedy or "") for c in report.checks]
        output.table("This machine", ["", "what", "found", "remedy"], rows, empty="Nothing was checked.")
    if not all(check.ok for check in report.checks):
        raise typer.Exit(1)


def _walls(*, production: bool) -> Check:
    """Whether cells are held back from what is none of theirs, where new ones run."""
    from clawstack.settings import load_settings  # late, as above
    from tenants.substrates.registry import shortcomings
    from toolchain.doctor import Check

    try:
        found = shortcomings(load_settings())
    except NeedsAttentionError as error:
        found, production = (error.sentence(),), True
    return Check(
        name="Walls around cells",
        ok=not (found and production),
        found=" ".join(found) or "can be laid",
        wanted="each cell reaches the platform alone",
        remedy=" ".join(found),
    )


def _needed() -> tuple[str, ...]:
    """Plugins of the substrates that this installation uses: the default one, and whatever else is configured."""
    from clawstack.settings import load_settings  # late, as above
    from tenants.substrates.registry import SUBSTRATES

    try:
        settings = load_settings()
    except (ClawstackError, UnicodeDecodeError):
        return ()  # settings that cannot be read are told by `serve`; the machine can be looked at all the same
    used = [one for one in SUBSTRATES.values() if one.name == settings.default_substrate or one.is_configured(settings)]
    return tuple(name for one in used for name in one.plugins)
