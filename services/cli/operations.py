"""`clawstack operations`: what was run against cells, and how it went."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from sqlalchemy import select

from clawstack.errors import InvalidInputError, NotFoundError
from services.cli.output import Output, moment
from services.cli.session import guarded, with_platform
from services.context import Platform
from services.provisioner.tables import Operation, OperationEvent, Tenant

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

    async def work(platform: Platform) -> list[dict[str, Any]]:
        query = select(Operation, Tenant.slug).join(Tenant, Tenant.id == Operation.tenant_id)
        if slug:
            query = query.where(Tenant.slug == slug)
        async with platform.database.transaction() as session:
            rows = (await session.execute(query.order_by(Operation.created_at.desc()).limit(limit))).all()
        return [_document(operation, name) for operation, name in rows]

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

    async def work(platform: Platform) -> dict[str, Any]:
        async with platform.database.transaction() as session:
            row = await session.get(Operation, key)
            if row is None:
                raise _unknown(operation)
            tenant = await session.get(Tenant, row.tenant_id)
            query = select(OperationEvent).where(OperationEvent.operation_id == key).order_by(OperationEvent.sequence)
            events = [
                {"at": event.created_at, "kind": event.kind, "message": event.message, "data": event.data}
                for event in await session.scalars(query)
            ]
        return {**_document(row, tenant.slug if tenant else ""), "events": events}

    detail = with_platform(output, work)
    if json:
        output.document(detail)
        return
    output.line(f"[bold]{detail['kind']}[/bold] of {detail['slug']}: {detail['status']} ({_took(detail)})")
    for event in detail["events"]:
        output.line(f"  [dim]{event['at']:%H:%M:%S.%f}[/dim] {event['message']}")
    if detail["error_message"]:
        output.line(f"[red]{detail['error_code']}[/red]: {detail['error_message']} {detail['error_remedy'] or ''}")


@app.command()
def cancel(operation: OperationId, *, json: Json = False) -> None:
    """Ask a running operation to stop. Pulumi ends what it is doing; the tenant can be brought up again later."""
    from services.provisioner.operations import request_cancel  # late: keeps `--help` fast

    output = Output(json=json)
    key = guarded(output, lambda: _parse(operation))

    async def work(platform: Platform) -> None:
        async with platform.database.transaction() as session:
            await request_cancel(session, key)

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


def _unknown(text: str) -> NotFoundError:
    return NotFoundError(f"There is no operation {text}.", remedy="`clawstack operations list` shows the latest.")


def _document(row: Operation, slug: str) -> dict[str, Any]:
    names = ("id", "kind", "status", "attempt", "generation", "reason", "error_code", "error_message", "error_remedy",
             "summary", "created_at", "finished_at")  # fmt: skip
    return {"slug": slug, **{name: getattr(row, name) for name in names}}


def _took(row: dict[str, Any]) -> str:
    if row["finished_at"] is None:
        return "running"
    return f"{(row['finished_at'] - row['created_at']).total_seconds():.1f} s"
