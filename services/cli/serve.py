"""`clawstack serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.output import Output
from services.cli.session import guarded, prepare
from services.roles import Role


def serve(
    *,
    role: Annotated[
        list[Role] | None, typer.Option(help="Run only this role; repeat for several. Default: all in one process.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (CLAWSTACK_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for any free one (CLAWSTACK_PORT).")] = None,
) -> None:
    """Run the platform until Ctrl-C: pages and API, worker, LLM proxy and Telegram router.

    Without CLAWSTACK_DATABASE_URL an embedded PostgreSQL is started in the data folder. Start more workers with
    `clawstack serve --role worker` against the same database.
    """
    output = Output()

    def run() -> None:
        import uvloop  # late: keeps `--help` fast

        from services import runtime

        settings, redactor = prepare(quiet=False)
        changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = settings.model_copy(update=changes)
        uvloop.run(runtime.serve(settings, redactor, frozenset(role or Role)))

    guarded(output, run)
