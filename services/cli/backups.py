"""`clawstack backup`: what is kept of tenants, and how to look into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from services.cli.output import Output, moment
from services.cli.session import with_platform

if TYPE_CHECKING:
    from services.context import Platform

app = typer.Typer(no_args_is_help=True, help="Backups: list them, open one into a folder, delete one.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    slug: Annotated[str | None, typer.Argument(help="Only backups of this tenant.")] = None, *, json: Json = False
) -> None:
    """List backups, newest first. They outlive their tenant."""
    output = Output(json=json)

    async def work(platform: Platform) -> list[dict[str, Any]]:
        from services.cli import reading  # late: keeps `--help` fast

        async with platform.database.transaction() as session:
            return await reading.backups(session, slug)

    rows = with_platform(output, work)
    if json:
        output.document(rows)
        return
    shown = [[row["slug"], moment(row["created_at"]), f"{row['size'] / 1024:.0f} KiB", moment(row["verified_at"]),
              row["location"]] for row in rows]  # fmt: skip
    columns = ["tenant", "made", "size", "verified", "location"]
    output.table("Backups", columns, shown, empty="No backups yet: the first is made when a tenant is destroyed.")


@app.command("open")
def open_(
    location: Annotated[str, typer.Argument(help="The backup's location, as `clawstack backup list` shows it.")],
    target: Annotated[Path, typer.Argument(help="Folder to open it into; made, and refused when not empty.")],
    *,
    json: Json = False,
) -> None:
    """Check a backup's checksum, decrypt it with its tenant's key and unpack it into a folder."""
    output = Output(json=json)

    async def work(platform: Platform) -> Path:
        from services.backups.opening import open_backup  # late: keeps `--help` fast

        return await open_backup(platform, location, target)

    opened = with_platform(output, work)
    if json:
        output.document({"opened": str(opened)})
    else:
        output.line(
            f"Opened into {escape(str(opened))}. It holds the tenant's private data: remove it when you are done."
        )


@app.command()
def delete(
    location: Annotated[str, typer.Argument(help="The backup's location, as `clawstack backup list` shows it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    json: Json = False,
) -> None:
    """Delete a backup for good, because its owner asks for it. Nothing can bring it back."""
    output = Output(json=json)
    output.line(f"This deletes the backup [bold]{escape(location)}[/bold] for good.")
    if not yes:
        typer.confirm("Delete it?", abort=True, err=json)

    async def work(platform: Platform) -> None:
        from services.backups.deletion import delete_backup  # late: keeps `--help` fast

        await delete_backup(platform, location)

    with_platform(output, work)
    if json:
        output.document({"deleted": location})
    else:
        output.line("It is gone.")
