"""What every command that touches the platform starts with: settings, quiet logs, an open platform, readable errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from clawstack import logs
from clawstack.errors import ClawstackError
from clawstack.redaction import Redactor
from clawstack.settings import Settings, load_settings
from services.cli.output import Output
from services.context import Platform
from services.runtime import opened_platform

T = TypeVar("T")


def with_platform(output: Output, work: Callable[[Platform], Awaitable[T]]) -> T:
    """Run `work` on an open platform; any of our errors ends the command with exit code 1 and one line."""

    async def run() -> T:
        settings, redactor = prepare(quiet=True)
        async with opened_platform(settings, redactor) as platform:
            return await work(platform)

    return guarded(output, lambda: asyncio.run(run()))


def prepare(*, quiet: bool) -> tuple[Settings, Redactor]:
    """Settings and the redactor that all output of this process passes."""
    settings = load_settings()
    redactor = Redactor()
    redactor.register(*settings.secret_values())
    level = "WARNING" if quiet and settings.log_level == "INFO" else settings.log_level
    logs.configure(redactor=redactor, level=level, form=settings.log_format)
    return settings, redactor


def guarded(output: Output, work: Callable[[], T]) -> T:
    """`work`'s result; our errors become one line and exit code 1."""
    try:
        return work()
    except ClawstackError as error:
        output.error(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        output.errors.print("interrupted")
        raise typer.Exit(130) from None
