"""`clawstack serve`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Annotated, Any, Final

import typer

from clawstack.redaction import Redactor
from services.cli.output import Output
from services.cli.session import guarded, prepare
from services.run.roles import Role

_ENDED_BY_SIGTERM: Final = 128 + signal.SIGTERM


def serve(
    *,
    role: Annotated[
        list[Role] | None, typer.Option(help="Run only this role; repeat for several. Default: all in one process.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (CLAWSTACK_HOST).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on, 0 for any free one (CLAWSTACK_PORT).")
    ] = None,
) -> None:
    """Run the platform until Ctrl-C: pages and API, worker, LLM proxy and Telegram router.

    Without CLAWSTACK_DATABASE_URL an embedded PostgreSQL is started in the data folder. Start more workers with
    `clawstack serve --role worker` against the same database.
    """
    output = Output()
    redactor = Redactor()

    def run() -> None:
        import uvloop  # late: keeps `--help` fast

        from services.run import runtime

        settings = prepare(redactor, quiet=False)
        changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = settings.model_copy(update=changes)
        uvloop.run(_until_told(runtime.serve(settings, redactor, frozenset(role or Role))))

    guarded(output, run, redactor)


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """`work`, which SIGTERM cancels as Ctrl-C does: what has been started is ended first, however early it comes."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    # Not the loop's own handler: uvicorn puts its own in this one's place while it serves, and the loop's would stay.
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(task.cancel))
    try:
        await task
    except asyncio.CancelledError:
        own = asyncio.current_task()
        if own is not None and own.cancelling():  # Ctrl-C: the runner makes KeyboardInterrupt of it
            raise
        raise typer.Exit(_ENDED_BY_SIGTERM) from None
