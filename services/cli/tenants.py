"""`clawstack tenants`: see them, and change what is wanted of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.cli.follow import follow_tenant, tenant_by_slug
from services.cli.output import Output, moment
from services.cli.session import with_platform
from services.context import Platform
from services.provisioner import desired
from services.provisioner.tables import Cell, Operation, Tenant

app = typer.Typer(
    no_args_is_help=True, help="Tenants: list, show, bring up, preview, suspend, resume, restart, destroy."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Slug = Annotated[str, typer.Argument(help="The tenant's slug, as `clawstack tenants list` shows it.")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Record what is wanted and leave; do not follow the operation.")
]
Timeout = Annotated[int, typer.Option(help="Follow for at most so many seconds.", min=1)]

Change = Callable[[AsyncSession, Tenant], Awaitable[None]]


@app.command("list")
def list_(
    *,
    state: Annotated[str | None, typer.Option(help="Only tenants in this state.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Deleted tenants too.")] = False,
    json: Json = False,
) -> None:
    """List tenants, newest first."""
    output = Output(json=json)

    async def work(platform: Platform) -> list[dict[str, Any]]:
        query = select(Tenant).order_by(Tenant.created_at.desc())
        if state:
            query = query.where(Tenant.state == state)
        elif not all_:
            query = query.where(Tenant.state != "deleted")
        async with platform.database.transaction() as session:
            return [_summary(tenant) for tenant in await session.scalars(query)]

    rows = with_platform(output, work)
    if json:
        output.document(rows)
        return
    columns = ["slug", "state", "plan", "bundle", "substrate", "wanted", "reason"]
    shown = [[row["slug"], row["state"], row["plan"], row["bundle"], row["substrate"], row["desired_state"],
              row["state_reason"]] for row in rows]  # fmt: skip
    output.table("Tenants", columns, shown, empty="No tenants yet: a paid checkout makes the first one.")


@app.command()
def show(slug: Slug, *, json: Json = False) -> None:
    """Show one tenant: what is wanted, what was last seen, where it runs, its latest operations."""
    output = Output(json=json)

    async def work(platform: Platform) -> dict[str, Any]:
        async with platform.database.transaction() as session:
            tenant = await tenant_by_slug(session, slug)
            cell = await session.get(Cell, tenant.id)
            latest = select(Operation).where(Operation.tenant_id == tenant.id).order_by(Operation.created_at.desc())
            operations = [_operation(row) for row in await session.scalars(latest.limit(5))]
        port = None if cell is None else cell.port
        return {**_summary(tenant), "observed": tenant.observed, "port": port, "operations": operations}

    detail = with_platform(output, work)
    if json:
        output.document(detail)
        return
    operations = detail.pop("operations")
    output.table(slug, ["", ""], [[key, value] for key, value in detail.items()], empty="")
    columns = ["id", "kind", "status", "attempt", "started", "error"]
    rows = [[row["id"], row["kind"], row["status"], row["attempt"], moment(row["created_at"]), row["error_message"]]
            for row in operations]  # fmt: skip
    output.table("Latest operations", columns, rows, empty="No operation yet.")


@app.command()
def up(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Bring the tenant to what is wanted, now: also after a failure whose cause you have mended."""
    _change(slug, lambda session, tenant: desired.retry_now(session, tenant.id), no_wait, timeout, json=json)


@app.command()
def suspend(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Stop the assistant and keep everything it knows. Messages wait until it is resumed."""
    _change(slug, _wanted(state="suspended", reason="suspended by an operator"), no_wait, timeout, json=json)


@app.command()
def resume(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Let a suspended assistant run again."""
    _change(slug, _wanted(state="running", reason="resumed by an operator"), no_wait, timeout, json=json)


@app.command()
def restart(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Restart the assistant's gateway."""
    _change(slug, _wanted(restart=True), no_wait, timeout, json=json)


@app.command()
def destroy(
    slug: Slug,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be destroyed.")] = False,
    skip_backup: Annotated[bool, typer.Option(help="Destroy even if no verified backup can be made.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = 600,
    json: Json = False,
) -> None:
    """Destroy the tenant's stack: gateway, state, secrets. A verified, encrypted backup is made first and kept.

    Asks before it does anything; `--dry-run` only tells.
    """
    output = Output(json=json)

    async def look(platform: Platform) -> dict[str, Any]:
        async with platform.database.transaction() as session:
            return _summary(await tenant_by_slug(session, slug))

    summary = with_platform(output, look)
    backup = "no backup will be made" if skip_backup else "a verified backup is made first and kept"
    output.line(f"This destroys [bold]{slug}[/bold] ({summary['plan']}, {summary['state']}): {backup}.")
    if dry_run:
        if json:
            output.document({"would_destroy": summary, "backup": not skip_backup})
        return
    if not yes:
        typer.confirm("Destroy it?", abort=True, err=json)
    change = _wanted(state="absent", reason="destroyed by an operator", skip_backup=skip_backup or None)
    _change(slug, change, no_wait, timeout, json=json)


@app.command()
def preview(slug: Slug, *, json: Json = False) -> None:
    """Tell what an update would change, without changing anything."""
    from services.provisioner.preview import preview_tenant  # late: it loads Pulumi

    output = Output(json=json)

    async def work(platform: Platform) -> list[dict[str, Any]]:
        async with platform.database.transaction() as session:
            tenant = await tenant_by_slug(session, slug)
        return await preview_tenant(platform, tenant.id)

    steps = with_platform(output, work)
    if json:
        output.document(steps)
        return
    rows = [[step["action"], step["type"], step["name"]] for step in steps]
    output.table(f"What an update of {slug} would do", ["action", "type", "name"], rows, empty="Nothing would change.")


def _wanted(**changes: Any) -> Change:
    async def change(session: AsyncSession, tenant: Tenant) -> None:
        await desired.set_desired(session, tenant.id, **changes)

    return change


def _change(slug: str, change: Change, no_wait: bool, timeout: int, *, json: bool) -> None:
    output = Output(json=json)

    async def work(platform: Platform) -> dict[str, Any]:
        async with platform.database.transaction() as session:
            tenant = await tenant_by_slug(session, slug)
            await change(session, tenant)
        if no_wait:
            return {"slug": slug, "state": tenant.state}
        return asdict(await follow_tenant(platform, slug, output, patience=timedelta(seconds=timeout)))

    result = with_platform(output, work)
    if json:
        output.document(result)
    else:
        output.line(f"[bold]{slug}[/bold] is {result['state']}.")


def _summary(tenant: Tenant) -> dict[str, Any]:
    names = ("slug", "state", "state_code", "state_reason", "plan", "bundle", "bundle_version", "substrate",
             "desired_state", "desired_reason", "generation", "observed_generation", "observed_state", "failures",
             "retry_at", "created_at", "healthy_at", "deleted_at")  # fmt: skip
    return {name: getattr(tenant, name) for name in names}


def _operation(row: Operation) -> dict[str, Any]:
    names = (
        "id",
        "kind",
        "status",
        "attempt",
        "generation",
        "error_code",
        "error_message",
        "created_at",
        "finished_at",
    )
    return {name: getattr(row, name) for name in names}
