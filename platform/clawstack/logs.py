"""Logs: structlog over the standard library, so that libraries' own lines pass the same redaction."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog

from clawstack.redaction import Redactor
from clawstack.visible import visible

_LAYOUT: Final = {"exception": "\n", "stack": "\n"}
"""Fields that have lines of their own, and so keep them."""


def configure(
    *,
    redactor: Redactor,
    level: str = "INFO",
    form: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process, redacted, to `stream` (standard error). Call it once per process."""

    def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key in list(event):
            if not key.startswith("_"):
                event[key] = redactor.value({key: event[key]})[key]
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, *_RENDERERS[form]],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # paths of the Telegram router carry channel tokens
    for client in ("httpx", "httpx2", "lightkube"):  # a line for each call: thousands in every sweep
        logging.getLogger(client).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _make_visible(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Lines hold paths, names and errors that strangers wrote: they must not reach a terminal as they are."""
    return {visible(str(key)): _shown(value, _LAYOUT.get(key, "")) for key, value in event.items()}


def _shown(value: Any, keep: str) -> Any:
    plain = value is None or isinstance(value, bool | int | float)
    return value if plain else visible(value if isinstance(value, str) else repr(value), keep=keep)


_RENDERERS: Final[dict[str, tuple[structlog.typing.Processor, ...]]] = {
    "console": (
        _make_visible,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ),
    "json": (structlog.processors.JSONRenderer(),),  # escapes all but printable ASCII
}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
