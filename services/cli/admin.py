"""`clawstack admin`: what is done once, or once in a while."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from sqlalchemy import func, select

from services.cli.output import Output
from services.cli.session import with_platform
from services.context import Platform
from services.provisioner.tables import Operation, Tenant

app = typer.Typer(no_args_is_help=True, help="Administration: prices at Stripe, an overview of the platform.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("stripe-setup")
def stripe_setup(*, json: Json = False) -> None:
    """Make Stripe sell what the catalogue lists: products, and prices found by lookup key. Safe to repeat."""
    from services.billing.catalogue import ensure_prices  # late: it loads the Stripe library
    from services.billing.stripe_access import StripeAccess

    output = Output(json=json)

    async def work(platform: Platform) -> list[dict[str, Any]]:
        access = StripeAccess(platform.settings)
        try:
            results = await ensure_prices(access, platform.catalogue)
        finally:
            await access.close()
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


@app.command()
def overview(*, json: Json = False) -> None:
    """Tell how many tenants are in which state, and how operations went."""
    output = Output(json=json)

    async def work(platform: Platform) -> dict[str, dict[str, int]]:
        async with platform.database.transaction() as session:
            tenants = (await session.execute(select(Tenant.state, func.count()).group_by(Tenant.state))).all()
            operations = (
                await session.execute(select(Operation.status, func.count()).group_by(Operation.status))
            ).all()
        return {
            "tenants": {state: count for state, count in tenants},
            "operations": dict(tuple(row) for row in operations),
        }

    counts = with_platform(output, work)
    if json:
        output.document(counts)
        return
    for title, rows in counts.items():
        output.table(title.capitalize(), ["", "count"], sorted(rows.items()), empty=f"No {title} yet.")
