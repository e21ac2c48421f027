"""Redaction: secrets are struck out of everything that is written down or shown.

Two nets: values that this process knows to be secret (registered as they are loaded), and shapes that are secret by
their form (`clawstack.secret_shapes`, and what stands in bearer headers and as passwords in URLs and their queries).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clawstack.secret_shapes import SECRET_SHAPES, pattern
from clawstack.secret_urls import SECRET_PARAMETER

MASK: Final = "[secret]"
_MIN_LENGTH: Final = 8  # shorter values would strike out ordinary words

#: Beside secrets themselves, what stands where a secret is carried.
_CARRIERS: Final = {
    "bearer": (r"\bBearer\s+", r"[0-9A-Za-z._~+/=-]{8,}"),
    # Up to the last `@` before the path: one in the password itself may stand unencoded.
    "url": (r"://[^\s:/@]*:", r"[^\s/\"']+(?=@)"),
    "query": (rf"[?&;]{SECRET_PARAMETER}=", r"[^\s&;#\"']+"),
}
_SHAPES: Final = re.compile(pattern({**SECRET_SHAPES, **_CARRIERS}))
_SENSITIVE_KEY: Final = re.compile(r"(?i)(secret|password|passphrase|token|api_?key|authorization|cookie|master_key)$")


class Redactor:
    """Strikes registered secrets and secret shapes out of text and nested values. Safe to share between threads."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}
        """Lengths of the values by their first eight characters, longest first: a worker learns secrets of every cell that
        it works on, so neither learning one more nor looking for all of them may grow with their number, as one pattern
        of all would, nor with the number of those that begin alike."""
        self._lock = threading.Lock()

    def register(self, *values: str) -> None:
        """Strike these values out from now on; values under eight characters are left to their shape."""
        with self._lock:
            for value in values:
                if len(value) >= _MIN_LENGTH:
                    self._values.add(value)
                    head = value[:_MIN_LENGTH]
                    if len(value) not in (known := self._lengths.get(head, ())):
                        self._lengths[head] = tuple(sorted((*known, len(value)), reverse=True))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        return _SHAPES.sub(lambda match: f"{match[match.lastgroup or 0]}{MASK}", self._without_values(text))

    def value(self, value: Any) -> Any:
        """A copy of a JSON-like value without secrets; values under telling keys are struck out whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._member(str(key), member) for key, member in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [self.value(item) for item in value]
        return value

    def _without_values(self, text: str) -> str:
        lengths = self._lengths
        parts, kept = [], 0
        for at in [at for at in range(len(text) - _MIN_LENGTH + 1) if text[at : at + _MIN_LENGTH] in lengths]:
            ends = (at + length for length in lengths[text[at : at + _MIN_LENGTH]])
            end = next((end for end in ends if text[at:end] in self._values), None)
            if end is not None and at >= kept:
                parts += [text[kept:at], MASK]
                kept = end
        return "".join([*parts, text[kept:]])

    def _member(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and value and _SENSITIVE_KEY.search(key):
            return MASK
        return self.value(value)
