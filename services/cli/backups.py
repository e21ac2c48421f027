"""`clawstack backup`: what is kept of tenants, and how to look into it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from clawstack.errors import InvalidInputError, TemporaryError
from services.cli.output import Output, moment
from services.cli.session import with_platform

if TYPE_CHECKING:
    from services.cells.context import CellPlatform

app = typer.Typer(
    no_args_is_help=True,
    help="Backups: list, make one, restore one into a new tenant, take them to their store, open one into a folder, delete one.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    slug: Annotated[str | None, typer.Argument(help="Only backups of this tenant.")] = None, *, json: Json = False
) -> None:
    """List backups, newest first. They outlive their tenant."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> list[dict[str, Any]]:
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


@app.command()
def create(
    slug: Annotated[str, typer.Argument(help="The tenant's slug, as `clawstack tenants list` shows it.")],
    *,
    timeout: Annotated[int, typer.Option(help="Follow for at most so many seconds.", min=1)] = 900,
    json: Json = False,
) -> None:
    """Back a tenant up now: verified, encrypted, listed. A running assistant goes on running."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> dict[str, Any]:
        from services.business.access.schemas import AT_THE_TERMINAL  # late: keeps `--help` fast
        from services.business.tenants import service
        from services.cli import reading
        from services.cli.follow import follow_tenant

        async with platform.database.transaction() as session:
            await reading.tenant_by_slug(session, slug)
            await service.back_up(session, AT_THE_TERMINAL, slug)
        await follow_tenant(platform, slug, output, patience=timedelta(seconds=timeout))
        async with platform.database.transaction() as session:
            return (await reading.backups(session, slug))[0]

    made = with_platform(output, work)
    if json:
        output.document(made)
    else:
        output.line(f"Backed up: {escape(made['location'])}")


@app.command()
def restore(
    location: Annotated[str, typer.Argument(help="The backup's location, as `clawstack backup list` shows it.")],
    *,
    substrate: Annotated[str | None, typer.Option(help="Where it shall run; by default where the old one ran.")] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE: an answer of the sign-up; those of a deleted tenant were erased with it."),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Record what is wanted and leave.")] = False,
    timeout: Annotated[int, typer.Option(help="Follow for at most so many seconds.", min=1)] = 900,
    json: Json = False,
) -> None:
    """Make a new tenant that starts with what a backup holds. The old one, if it is still there, is not touched.

    The new tenant belongs to the same customer and has its plan and bundle; chats must be linked anew.
    """
    output = Output(json=json)

    async def work(platform: CellPlatform) -> dict[str, Any]:
        from services.business.access.schemas import AT_THE_TERMINAL  # late, as above
        from services.business.tenants.restoring import create_from_backup
        from services.cli.follow import follow_tenant

        async with platform.database.transaction() as session:
            tenant = await create_from_backup(
                session,
                AT_THE_TERMINAL,
                location,
                substrate=substrate,
                answers=_answers(answer or []),
                catalogue=platform.catalogue,
                usable=platform.drivers.usable(),
            )
            slug = tenant.slug
        if no_wait:
            return {"slug": slug, "state": "pending"}
        output.line(f"The new tenant is [bold]{slug}[/bold].")
        return asdict(await follow_tenant(platform, slug, output, patience=timedelta(seconds=timeout)))

    result = with_platform(output, work)
    if json:
        output.document(result)
    else:
        output.line(f"[bold]{result['slug']}[/bold] is {result['state']}.")


def _answers(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for key, sign, _ in pairs:
        if not key or not sign:
            raise InvalidInputError(
                f"{key!r} is no answer.", remedy="Write it as KEY=VALUE, for example child_name=Emma."
            )
    return {key: value for key, _, value in pairs}


@app.command()
def upload(*, json: Json = False) -> None:
    """Take archives to the store that CLAWSTACK_BACKUP_URL names, now instead of within a minute."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> int:
        from services.business.backups.uploading import Uploader, UploadMetrics  # late: keeps `--help` fast

        uploader = Uploader(platform=platform, metrics=UploadMetrics(platform.metrics))
        uploaded = await uploader.run()
        if uploader.waiting:
            raise TemporaryError(
                f"{uploader.waiting} archives still wait for the store; {uploaded} were taken there.",
                code="backup_store_unavailable",
                remedy="The lines above name the reasons; it is tried again every minute.",
            )
        return uploaded

    uploaded = with_platform(output, work)
    if json:
        output.document({"uploaded": uploaded, "waiting": 0})
    else:
        output.line(f"Taken to the store: {uploaded}. Nothing waits.")


@app.command("open")
def open_(
    location: Annotated[str, typer.Argument(help="The backup's location, as `clawstack backup list` shows it.")],
    target: Annotated[Path, typer.Argument(help="Folder to open it into; made, and refused when not empty.")],
    *,
    json: Json = False,
) -> None:
    """Check a backup's checksum, decrypt it with its tenant's key and unpack it into a folder."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> Path:
        from services.business.backups.opening import open_backup  # late: keeps `--help` fast

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

    async def work(platform: CellPlatform) -> None:
        from services.business.backups.deletion import delete_backup  # late: keeps `--help` fast

        await delete_backup(platform, location)

    with_platform(output, work)
    if json:
        output.document({"deleted": location})
    else:
        output.line("It is gone.")
