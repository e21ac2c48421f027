"""`clawstack backup`: what is kept of tenants, and how to look into it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from services.backups.tables import Backup
from services.cli.output import Output, moment
from services.cli.session import with_platform
from services.context import Platform
from services.provisioner.tables import Tenant

app = typer.Typer(no_args_is_help=True, help="Backups: list them, open one into a folder.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    slug: Annotated[str | None, typer.Argument(help="Only backups of this tenant.")] = None, *, json: Json = False
) -> None:
    """List backups, newest first. They outlive their tenant."""
    output = Output(json=json)

    async def work(platform: Platform) -> list[dict[str, Any]]:
        query = select(Backup, Tenant.slug).join(Tenant, Tenant.id == Backup.tenant_id)
        if slug:
            query = query.where(Tenant.slug == slug)
        async with platform.database.transaction() as session:
            rows = (await session.execute(query.order_by(Backup.created_at.desc()))).all()
        names = ("id", "location", "sha256", "size", "reason", "openclaw_version", "created_at", "verified_at")
        return [{"slug": name, **{field: getattr(row, field) for field in names}} for row, name in rows]

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
    from services.backups.opening import open_backup  # late: keeps `--help` fast

    output = Output(json=json)

    async def work(platform: Platform) -> Path:
        return await open_backup(platform, location, target)

    opened = with_platform(output, work)
    if json:
        output.document({"opened": str(opened)})
    else:
        output.line(f"Opened into {opened}. It holds the tenant's private data: remove it when you are done.")
