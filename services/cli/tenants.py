"""`clawstack tenants`: see them, and change what is wanted of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawstack.errors import ConflictError
from clawstack.vocabulary import Desired, TenantState
from services.cli.output import Output, moment
from services.cli.session import guarded, with_platform
from tenants.substrates.registry import SUBSTRATES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from services.business.access.schemas import Principal
    from services.cells.context import CellPlatform

app = typer.Typer(
    no_args_is_help=True, help="Tenants: list, show, logs, bring up, preview, suspend, resume, restart, move, destroy."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Slug = Annotated[str, typer.Argument(help="The tenant's slug, as `clawstack tenants list` shows it.")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Record what is wanted and leave; do not follow the operation.")
]
Timeout = Annotated[int, typer.Option(help="Follow for at most so many seconds.", min=1)]

Change = Callable[["CellPlatform", "AsyncSession", "Principal"], Awaitable[object]]


@app.command("list")
def list_(
    *,
    state: Annotated[TenantState | None, typer.Option(help="Only tenants in this state.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Deleted tenants too.")] = False,
    json: Json = False,
) -> None:
    """List tenants, newest first."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> list[dict[str, Any]]:
        from services.cli import reading  # late: keeps `--help` fast

        async with platform.database.transaction() as session:
            return await reading.tenants(session, state=state, deleted_too=all_)

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
    """Show one tenant: what is wanted, where and how it runs right now, drift, last backup, latest operations."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> dict[str, Any]:
        from services.cli import reading  # late, as above

        return await reading.tenant_report(platform, slug)

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

    async def change(_: CellPlatform, session: AsyncSession, me: Principal) -> None:
        from services.business.tenants import service  # late, as above

        await service.again(session, me, slug)

    _change(slug, change, no_wait, timeout, json=json)


@app.command()
def suspend(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Stop the assistant and keep everything it knows. Messages wait until it is resumed."""
    _change(slug, _wanted(slug, Desired.SUSPENDED, reason="suspended by an operator"), no_wait, timeout, json=json)


@app.command()
def resume(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Let a suspended assistant run again."""
    _change(slug, _wanted(slug, Desired.RUNNING, reason="resumed by an operator"), no_wait, timeout, json=json)


@app.command()
def restart(slug: Slug, *, no_wait: NoWait = False, timeout: Timeout = 600, json: Json = False) -> None:
    """Restart the assistant's gateway."""

    async def change(_: CellPlatform, session: AsyncSession, me: Principal) -> None:
        from services.business.tenants import service  # late, as above

        await service.restart(session, me, slug)

    _change(slug, change, no_wait, timeout, json=json)


@app.command()
def move(
    slug: Slug,
    substrate: Annotated[str, typer.Argument(help=f"Where it shall run: {', '.join(SUBSTRATES)}.")],
    *,
    no_wait: NoWait = False,
    timeout: Timeout = 900,
    json: Json = False,
) -> None:
    """Move the assistant to another substrate with all it knows. Messages wait meanwhile; a backup is kept."""

    async def change(platform: CellPlatform, session: AsyncSession, me: Principal) -> None:
        from services.business.tenants import service  # late, as above

        await service.move(
            session,
            me,
            slug,
            substrate,
            catalogue=platform.catalogue,
            usable=platform.drivers.usable(),
            reason=f"moved to {substrate} by an operator",
        )

    _change(slug, change, no_wait, timeout, json=json)


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

    async def look(platform: CellPlatform) -> dict[str, Any]:
        from services.cli import reading  # late, as above

        async with platform.database.transaction() as session:
            return await reading.tenant(session, slug)

    summary = with_platform(output, look)
    backup = "no backup will be made" if skip_backup else "a verified backup is made first and kept"
    output.line(f"This destroys [bold]{slug}[/bold] ({summary['plan']}, {summary['state']}): {backup}.")
    if dry_run:
        if json:
            output.document({"would_destroy": summary, "backup": not skip_backup})
        return
    if not yes:
        guarded(output, lambda: _ask(slug, to_stderr=json))
    change = _wanted(slug, Desired.ABSENT, reason="destroyed by an operator", skip_backup=skip_backup)
    _change(slug, change, no_wait, timeout, json=json)


@app.command()
def preview(slug: Slug, *, json: Json = False) -> None:
    """Tell what an update would change, without changing anything."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> list[dict[str, Any]]:
        from services.cli import reading  # late, as above
        from services.run.parts.provisioner import preview_tenant

        async with platform.database.transaction() as session:
            tenant = await reading.tenant_by_slug(session, slug)
        return await preview_tenant(platform, tenant.id)

    steps = with_platform(output, work)
    if json:
        output.document(steps)
        return
    rows = [[step["action"], step["type"], step["name"]] for step in steps]
    output.table(f"What an update of {slug} would do", ["action", "type", "name"], rows, empty="Nothing would change.")


def _ask(slug: str, *, to_stderr: bool) -> None:
    try:
        agreed = typer.confirm("Destroy it?", err=to_stderr)
    except typer.Abort:  # nobody is there to answer
        agreed = False
    if not agreed:
        raise ConflictError(
            f"{slug} was not destroyed: nobody said yes.", code="not_confirmed", remedy="Answer y, or add --yes."
        )


def _wanted(slug: str, state: Desired, *, reason: str, skip_backup: bool = False) -> Change:
    async def change(_: CellPlatform, session: AsyncSession, me: Principal) -> None:
        from services.business.tenants import service  # late, as above

        await service.want(session, me, slug, state, reason=reason, skip_backup=skip_backup)

    return change


def _change(slug: str, change: Change, no_wait: bool, timeout: int, *, json: bool) -> None:
    output = Output(json=json)

    async def work(platform: CellPlatform) -> dict[str, Any]:
        from services.business.access.schemas import AT_THE_TERMINAL  # late, as above
        from services.cli.follow import follow_tenant
        from services.cli.reading import tenant_by_slug

        async with platform.database.transaction() as session:
            tenant = await tenant_by_slug(session, slug)
            await change(platform, session, AT_THE_TERMINAL)
        if no_wait:
            return {"slug": slug, "state": tenant.state}
        return asdict(await follow_tenant(platform, slug, output, patience=timedelta(seconds=timeout)))

    result = with_platform(output, work)
    if json:
        output.document(result)
    else:
        output.line(f"[bold]{slug}[/bold] is {result['state']}.")
