"""`python -m toolchain setup [part...]`, `... doctor [--json] [--production] [--needs PLUGIN]`, `... cluster`, `... image`, `... release`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from rich.console import Console

from clawstack.errors import ClawstackError
from toolchain import parts
from toolchain.cluster import commands as cluster_commands
from toolchain.doctor import DoctorReport, examine
from toolchain.ground.surroundings import Surroundings
from toolchain.image import commands as image_commands
from toolchain.publishing import commands as release_commands
from toolchain.tasks.board import Board
from toolchain.tasks.progress import minutes
from toolchain.tasks.together import carry_out

_NOUNS: Final = MappingProxyType({"cluster": cluster_commands, "image": image_commands, "release": release_commands})
"""Commands with commands of their own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the answer is the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        around = Surroundings.read()
        if options.command == "doctor":
            report = examine(around, production=options.production, needed=options.needs)
            return _doctor(console, report, as_json=options.json)
        if options.command in _NOUNS:
            code: int = _NOUNS[options.command].run(options, around, console)
            return code
        return _setup(console, around, options.parts or ["all"])
    except ClawstackError as error:
        console.print(f"  ✗ {error.sentence()}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("  Stopped. Run the same command again; it goes on where it was.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m toolchain", description="Gets and judges the tools of a machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="get what is missing; safe to run again")
    setup.add_argument("parts", nargs="*", choices=[*parts.PARTS, "all"], metavar=f"{{{','.join(parts.PARTS)},all}}")
    doctor = commands.add_parser("doctor", help="say what is there, what is missing, and what mends it")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.add_argument("--production", action="store_true", help="refuse offline plugins")
    doctor.add_argument(
        "--needs",
        action="append",
        default=[],
        metavar="PLUGIN",
        help="a plugin that cells here need, such as kubernetes",
    )
    for noun in _NOUNS.values():
        noun.add_parser(commands)
    return parser


def _setup(console: Console, around: Surroundings, named: list[str]) -> int:
    began = time.monotonic()
    console.print(f"[bold]Setting up[/] in {around.cache}")
    outcome = carry_out(parts.wanted(named), around, Board(console), optional=parts.optional(named))
    took = minutes(time.monotonic() - began)
    if not outcome.failed:
        console.print(f"[bold]Ready[/] after {took}")
        return 0
    failed = ", ".join(name for name, _ in outcome.failed)
    left = f"; not begun: {', '.join(outcome.not_begun)}" if outcome.not_begun else ""
    console.print(f"[bold]Not ready[/] after {took}: {failed} failed{left}.", soft_wrap=True)
    console.print("What is there stays; once the cause is mended, the same command goes on from there.", soft_wrap=True)
    return 1


def _doctor(console: Console, report: DoctorReport, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"ok": report.ok, **asdict(report)}, indent=2) + "\n")
        return 0 if report.ok else 1
    for check in report.checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        where = f"  [dim]{check.detail}[/]" if check.detail else ""
        console.print(f"  {mark} {check.name}: {check.found} (wanted: {check.wanted}){where}", soft_wrap=True)
        if not check.ok:
            console.print(f"      [bold]{check.remedy}[/]", soft_wrap=True)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
