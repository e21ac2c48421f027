"""`clawstack operations`: what was run against cells, and how it went."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from clawstack.errors import InvalidInputError
from services.cli.output import Output, moment
from services.cli.session import guarded, with_platform

if TYPE_CHECKING:
    from services.cells.context import CellPlatform

app = typer.Typer(no_args_is_help=True, help="Operations: list them, read their events, cancel one.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OperationId = Annotated[str, typer.Argument(help="The operation's id, as `clawstack operations list` shows it.")]


@app.command("list")
def list_(
    slug: Annotated[str | None, typer.Argument(help="Only operations of this tenant.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    json: Json = False,
) -> None:
    """List operations, newest first."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> list[dict[str, Any]]:
        from services.cli import reading  # late: keeps `--help` fast

        async with platform.database.transaction() as session:
            return await reading.operations(session, slug, limit=limit)

    rows = with_platform(output, work)
    if json:
        output.document(rows)
        return
    columns = ["id", "tenant", "kind", "status", "attempt", "started", "took", "error"]
    shown = [[row["id"], row["slug"], row["kind"], row["status"], row["attempt"], moment(row["created_at"]),
              _took(row), row["error_message"]] for row in rows]  # fmt: skip
    output.table("Operations", columns, shown, empty="No operations yet.")


@app.command()
def show(operation: OperationId, *, json: Json = False) -> None:
    """Show one operation with all its events."""
    output = Output(json=json)
    key = guarded(output, lambda: _parse(operation))

    async def work(platform: CellPlatform) -> dict[str, Any]:
        from services.cli import reading  # late, as above

        async with platform.database.transaction() as session:
            return await reading.operation_detail(session, key)

    detail = with_platform(output, work)
    if json:
        output.document(detail)
        return
    output.line(f"[bold]{detail['kind']}[/bold] of {detail['slug']}: {detail['status']} ({_took(detail)})")
    for event in detail["events"]:
        output.line(f"  [dim]{event['at']:%H:%M:%S.%f}[/dim] {escape(event['message'])}")
    if detail["error_message"]:
        why = f"{detail['error_message']} {detail['error_remedy'] or ''}"
        output.line(f"[red]{detail['error_code']}[/red]: {escape(why)}")


@app.command()
def cancel(operation: OperationId, *, json: Json = False) -> None:
    """Ask a running operation to stop. Pulumi ends what it is doing; the tenant can be brought up again later."""
    output = Output(json=json)
    key = guarded(output, lambda: _parse(operation))

    async def work(platform: CellPlatform) -> None:
        from services.business.access.schemas import AT_THE_TERMINAL  # late, as above
        from services.business.tenants import service

        async with platform.database.transaction() as session:
            await service.cancel(session, AT_THE_TERMINAL, key)

    with_platform(output, work)
    if json:
        output.document({"id": operation, "cancel_requested": True})
    else:
        output.line("It has been asked to stop.")


def _parse(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidInputError(
            f"{text[:60]!r} is not an operation's id.", remedy="`clawstack operations list` shows the ids."
        ) from None


def _took(row: dict[str, Any]) -> str:
    if row["finished_at"] is None:
        return "running"
    return f"{(row['finished_at'] - row['created_at']).total_seconds():.1f} s"
