"""`clawstack db`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.output import Output
from services.cli.session import with_platform

if TYPE_CHECKING:
    from services.cells.context import CellPlatform

app = typer.Typer(no_args_is_help=True, help="The database: bring its schema up to date, see where it stands.")


@app.command()
def upgrade(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Apply missing migrations. Safe to repeat; processes that start at once wait for each other."""
    _report(Output(json=json), "The database is up to date")


@app.command()
def status(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell which revision the database is at."""
    _report(Output(json=json), "The database answers")


def _report(output: Output, sentence: str) -> None:
    async def work(platform: CellPlatform) -> str:
        from services.tables import migrate  # late: keeps `--help` fast

        await platform.database.ping()
        return migrate.head_revision() or "none"  # opening the platform has applied everything up to here

    revision = with_platform(output, work)
    if output.json:
        output.document({"revision": revision})
    else:
        output.line(f"{sentence}: revision [bold]{revision}[/bold].")
