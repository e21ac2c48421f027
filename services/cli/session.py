"""What every command that touches the platform starts with: settings, quiet logs, an open platform, readable errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from clawstack.errors import ClawstackError, NeedsAttentionError, PermanentError
from clawstack.redaction import Redactor
from services.cli.output import Output

if TYPE_CHECKING:  # `--help` and wrong arguments need neither settings nor database
    from clawstack.settings import Settings
    from services.run.context import ProcessPlatform

T = TypeVar("T")

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C."""


def with_platform(output: Output, work: Callable[[ProcessPlatform], Awaitable[T]]) -> T:
    """Run `work` on an open platform; any error ends the command with exit code 1 and one line."""
    redactor = Redactor()

    async def run() -> T:
        from services.run.opening import opened_platform  # late: it loads SQLAlchemy and Alembic

        settings = prepare(redactor, quiet=True)
        async with opened_platform(settings, redactor) as platform:
            return await work(platform)

    return guarded(output, lambda: asyncio.run(run()), redactor)


def prepare(redactor: Redactor, *, quiet: bool) -> Settings:
    """Settings; from here on all output of this process passes `redactor`, which knows their secrets."""
    from clawstack import logs  # late, as above
    from clawstack.settings import load_settings

    try:
        settings = load_settings()
    except UnicodeDecodeError:
        raise NeedsAttentionError(
            "The file .env in this folder is not UTF-8 text.", code="bad_settings", remedy="Correct or remove it."
        ) from None
    redactor.register(*settings.secret_values())
    level = "WARNING" if quiet and settings.log_level == "INFO" else settings.log_level
    logs.configure(redactor=redactor, level=level, form=settings.log_format)
    return settings


def guarded(output: Output, work: Callable[[], T], redactor: Redactor | None = None) -> T:
    """`work`'s result; an error becomes one line and exit code 1, Ctrl-C exit code 130."""
    try:
        return work()
    except ClawstackError as error:
        output.error(error, redactor)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        output.errors.print("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - a person at a terminal gets a sentence, whatever went wrong
        output.error(_unexpected(error, redactor or Redactor()))
        raise typer.Exit(1) from None


def _unexpected(error: Exception, redactor: Redactor) -> ClawstackError:
    # The standard library's logger: silent until `prepare` has set up logs that are redacted.
    logging.getLogger(__name__).debug("unexpected_error", exc_info=error)
    if isinstance(error, OSError):  # disk full, no permission, no such file: the system's words say it all
        place = f" ({error.filename})" if error.filename else ""
        return PermanentError(
            f"{error.strerror or error}{place}.", code="system_error", remedy="Mend that, then run the command again."
        )
    what = redactor.text(str(error)).strip().split("\n", 1)[0][:300]
    return PermanentError(
        f"This should not have happened: {type(error).__name__}: {what}",
        code="internal_error",
        remedy="CLAWSTACK_LOG_LEVEL=DEBUG shows where; please report it.",
    )
