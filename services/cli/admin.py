"""`clawstack admin`: what is done once, or once in a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.output import Output
from services.cli.session import with_platform

if TYPE_CHECKING:
    from services.business.overview.schemas import Overview
    from services.run.context import ProcessPlatform

app = typer.Typer(no_args_is_help=True, help="Administration: prices at Stripe, an overview of the platform.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("stripe-setup")
def stripe_setup(*, json: Json = False) -> None:
    """Make Stripe sell what the catalogue lists: products, and prices found by lookup key. Safe to repeat."""
    output = Output(json=json)

    async def work(platform: ProcessPlatform) -> list[dict[str, Any]]:
        from services.business.billing.catalogue import ensure_prices  # late: it loads the Stripe library

        results = await ensure_prices(platform.stripe, platform.catalogue)
        return [
            {"lookup_key": item.lookup_key, "price": item.price_id, "amount": item.amount, "action": item.action.value}
            for item in results
        ]

    rows = with_platform(output, work)
    if json:
        output.document(rows)
        return
    shown = [[row["lookup_key"], f"{row['amount'] / 100:.2f}", row["action"]] for row in rows]
    output.table("Prices at Stripe", ["lookup key", "amount", "what was done"], shown, empty="The catalogue is empty.")


@app.command("overview")
def overview_(*, json: Json = False) -> None:
    """Tell how many tenants are in which state, and how operations went."""
    output = Output(json=json)

    async def work(platform: ProcessPlatform) -> Overview:
        from services.business.overview import service  # late: keeps `--help` fast

        shortcomings = await asyncio.to_thread(platform.drivers.shortcomings)
        async with platform.database.transaction() as session:
            return await service.overview(session, shortcomings=shortcomings)

    overview = with_platform(output, work)
    if json:
        output.document(overview.model_dump())
        return
    for title, rows in (("Tenants", overview.tenants), ("Operations", overview.operations)):
        output.table(title, ["", "count"], sorted(rows.items()), empty=f"No {title.lower()} yet.")
    output.line(f"Messages still to be delivered: {overview.unsent_messages}")
    for told in overview.shortcomings:
        output.line(f"[bold]Cells are not held back:[/bold] {told}")
