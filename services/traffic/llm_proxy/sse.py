"""Server-sent events of a streamed answer: cut at event borders, usage read, nothing else touched.

Events pass through byte for byte unless they carry usage that the client did not ask for, or an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from services.kit.http.bounded_json import JsonBounds, decode
from services.traffic.llm_proxy.reported import ReportedUsage

_BORDER: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
_ERROR: Final = re.compile(rb'"error"\s*:')
_TEXT: Final = re.compile(rb'"(?:content|reasoning|reasoning_content|refusal|arguments)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_DONE: Final = b"[DONE]"
_SHAPE: Final = JsonBounds(items=100_000, depth=64)  # one event holds a few tokens
_LARGEST_EVENT: Final = 8 * 1024 * 1024


class OversizedEventError(Exception):
    """The vendor sent an event without end."""


class EventSplitter:
    """Cuts a byte stream into events, each with the empty line that ends it."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Events that are complete by now; raises OversizedEventError when one does not end within 8 MiB."""
        data = self._rest + data
        start = 0
        for border in _BORDER.finditer(data):
            # A border at the very end may be the first half of a longer one only for \r\r; vendors do not mix those.
            yield data[start : border.end()]
            start = border.end()
        self._rest = data[start:]
        if len(self._rest) > _LARGEST_EVENT:
            raise OversizedEventError

    def rest(self) -> bytes:
        """What came after the last border."""
        return self._rest


class StreamFilter:
    """Reads usage out of events and keeps from the client what is not for it."""

    def __init__(self, *, show_usage: bool, clean_error: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """`clean_error` turns a vendor's error document into one that a cell may read."""
        self.usage = ReportedUsage()
        self.done = False
        """The vendor said that the stream is complete."""
        self.text_bytes = 0
        self.events = 0
        self._show_usage = show_usage
        self._clean_error = clean_error

    def passed(self, event: bytes) -> bytes:
        """What the client gets for this event; empty for nothing."""
        data = _data_of(event)
        if data == _DONE:
            self.done = True
            return event
        self.events += bool(data)
        self.text_bytes += sum(len(text) for text in _TEXT.findall(data))
        if _USAGE.search(data) or _ERROR.search(data):
            return self._judged(event, data)
        return event

    def _judged(self, event: bytes, data: bytes) -> bytes:
        try:
            document = decode(data, _SHAPE)
        except ValueError:
            return event
        if not isinstance(document, dict):
            return event
        if document.get("error"):
            return framed(self._clean_error(document))
        if not self.usage.observe(document) or self._show_usage:
            return event
        document.pop("usage", None)
        return framed(document) if document.get("choices") else b""


def framed(document: dict[str, Any]) -> bytes:
    """One event."""
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _data_of(event: bytes) -> bytes:
    lines = [line[5:].lstrip(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines).strip()
