"""How the command line speaks: tables for people, one JSON document for programs, errors in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clawstack.errors import ClawstackError
from clawstack.redaction import Redactor
from clawstack.visible import visible, visible_json

STATE_COLOURS = {
    "healthy": "green", "succeeded": "green", "pending": "cyan", "provisioning": "cyan", "updating": "cyan",
    "running": "cyan", "resuming": "cyan", "suspending": "yellow", "suspended": "yellow", "degraded": "yellow",
    "interrupted": "yellow", "deleting": "yellow", "deleted": "dim", "cancelled": "dim", "failed": "red",
    "needs_attention": "red",
}  # fmt: skip


_PIPED_WIDTH: Final = 400
"""Columns of a table that no terminal shows: wide enough that a line stays one line for `grep`."""


class Output:
    """Where a command writes. With `json` only one document goes to standard output."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        stream = sys.stderr if json else sys.stdout
        width = None if stream.isatty() else _PIPED_WIDTH
        self.console = Console(stderr=json, highlight=False, soft_wrap=True, width=width)
        self.errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def document(self, value: Any) -> None:
        """The command's answer as JSON."""
        text = json.dumps(value, indent=2, default=_plain, ensure_ascii=False)
        sys.stdout.write(visible_json(text) + "\n")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
        """Rows for people; `empty` says what to do when there are none."""
        if not rows:
            self.console.print(empty)
            return
        table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(coloured(cell) for cell in row))
        self.console.print(table)

    def line(self, text: str) -> None:
        """A sentence for people; silent with --json."""
        if not self.json:
            self.console.print(visible(text, keep="\n\t"))

    def raw(self, text: str) -> None:
        """A line that somebody else wrote, without what could steer a terminal; with --json a JSON string."""
        plain = "".join(letter for letter in text if letter.isprintable() or letter == "\t")
        sys.stdout.write((visible_json(json.dumps(plain, ensure_ascii=False)) if self.json else plain) + "\n")
        sys.stdout.flush()

    def error(self, error: ClawstackError, redactor: Redactor | None = None) -> None:
        """What went wrong and the remedy, without secrets, whatever somebody else's words in it repeat."""
        redactor = redactor or Redactor()
        if self.json:
            body = {"code": error.code, "message": error.message, "remedy": error.remedy}
            self.document({"error": redactor.value(body)})
        else:
            self.errors.print(f"[red]error:[/red] {escape(visible(redactor.text(error.sentence())))}")


def coloured(cell: Any) -> str:
    """A table cell; states get their colour."""
    text = "-" if cell is None or cell == "" else escape(visible(str(cell), keep="\n"))
    colour = STATE_COLOURS.get(text)
    return f"[{colour}]{text}[/{colour}]" if colour else text


def moment(value: datetime | None) -> str:
    """A time stamp for people, in UTC."""
    return value.strftime("%Y-%m-%d %H:%M:%S") if value else "-"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
