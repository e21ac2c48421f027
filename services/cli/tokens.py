"""`clawstack token`: who may call `/v1`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.output import Output, moment
from services.cli.session import with_platform

if TYPE_CHECKING:
    from services.cells.context import CellPlatform

app = typer.Typer(no_args_is_help=True, help="Operator tokens for the API: create, list, revoke.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it, for the list.")],
    *,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do; repeat for several. Default: admin (everything).")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Valid for so many days. Default: until revoked.")] = None,
    json: Json = False,
) -> None:
    """Create an operator token. It is shown once: only its hash is stored."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> str:
        from clawstack.tokens import TokenKind  # late: keeps `--help` fast
        from services.business.access import service as access
        from services.kit.database.base import utcnow

        expires = utcnow() + timedelta(days=days) if days else None
        async with platform.database.transaction() as session:
            token = await access.issue_token(
                session, kind=TokenKind.OPERATOR, name=name, scopes=scope or ["admin"], expires_at=expires
            )
        return token.reveal()

    text = with_platform(output, work)
    if json:
        output.document({"token": text, "name": name, "scopes": scope or ["admin"]})
        return
    typer.echo(text)
    output.errors.print("Keep it now: it is not shown again. Use it as: Authorization: Bearer <token>")


@app.command("list")
def list_(*, json: Json = False) -> None:
    """List tokens by their public key; secrets are not stored."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> list[dict[str, object]]:
        from services.business.access import service as access  # late, as above

        async with platform.database.transaction() as session:
            rows = await access.list_tokens(session)
        names = ("key", "name", "kind", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
        return [{name: getattr(row, name) for name in names} for row in rows]

    rows = with_platform(output, work)
    if json:
        output.document(rows)
        return
    shown = [
        (row["key"], row["name"], ", ".join(row["scopes"]), moment(row["created_at"]), moment(row["revoked_at"]))  # type: ignore[arg-type]  # rows of plain values
        for row in rows
    ]
    output.table("Tokens", ["key", "name", "scopes", "created", "revoked"], shown, empty="No tokens yet.")


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key from the list.")], *, json: Json = False) -> None:
    """Revoke a token at once."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> None:
        from services.business.access import service as access  # late, as above

        async with platform.database.transaction() as session:
            await access.revoke(session, key)

    with_platform(output, work)
    if json:
        output.document({"revoked": key})
    else:
        output.line(f"Token {key} no longer opens anything.")
