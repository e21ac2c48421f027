"""`clawstack tenants logs`: what a gateway says, wherever it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.output import Output
from services.cli.session import with_platform

if TYPE_CHECKING:
    from services.cells.context import CellPlatform
    from services.cells.substrates.base.protocol import SubstrateDriver


def logs(
    slug: Annotated[str, typer.Argument(help="The tenant's slug, as `clawstack tenants list` shows it.")],
    *,
    lines: Annotated[int, typer.Option(help="How many of the last lines.", min=1, max=5000)] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with every new line, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON string per line.")] = False,
) -> None:
    """Show the end of a gateway's log, without secrets; `--follow` streams what comes."""
    output = Output(json=json)

    async def work(platform: CellPlatform) -> None:
        driver = await _driver(platform, slug)
        found = driver.follow_logs(slug, lines=lines) if follow else _each(await driver.logs(slug, lines=lines))
        async for line in found:
            output.raw(platform.redactor.text(line))

    with_platform(output, work)


async def _driver(platform: CellPlatform, slug: str) -> SubstrateDriver:
    from services.cells.provisioner.assembly import cell_secrets
    from services.cli import reading  # late: keeps `--help` fast

    async with platform.database.transaction() as session:
        tenant = await reading.tenant_by_slug(session, slug)
        for name in cell_secrets():  # opened, so that the redactor of this process knows them
            await platform.vault.get(session, tenant.id, name)
        return platform.drivers.of(tenant.runs_on)


async def _each(lines: list[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line
