"""Redaction: secrets are struck out of everything that is written down or shown.

Two nets: values that this process knows to be secret (registered as they are loaded), and shapes that are secret by
their form (this platform's tokens, Stripe keys, Telegram bot tokens, bearer headers, passwords in URLs and their queries).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clawstack.secret_urls import SECRET_PARAMETER

MASK: Final = "[secret]"
_MIN_LENGTH: Final = 8  # shorter values would strike out ordinary words

_SHAPES: Final = re.compile(
    r"(?P<token>claw(?:op|cu|px|ch|bt|ag)_[0-9a-zA-Z]{12}_)[0-9a-zA-Z]{20,}"
    r"|(?P<stripe>\b(?:sk|rk)_(?:test|live)_|\bwhsec_)[0-9a-zA-Z_]{6,}"
    r"|(?P<bot>\b\d{6,12}:)[0-9A-Za-z_-]{30,}"
    r"|(?P<bearer>\bBearer\s+)[0-9A-Za-z._~+/=-]{8,}"
    r"|(?P<vendor>\bsk-)[0-9A-Za-z_-]{16,}"
    # Up to the last `@` before the path: one in the password itself may stand unencoded.
    r"|(?P<url>://[^\s:/@]*:)[^\s/\"']+(?=@)"
    rf"|(?P<query>[?&;]{SECRET_PARAMETER}=)[^\s&;#\"']+",
)
_SENSITIVE_KEY: Final = re.compile(r"(?i)(secret|password|passphrase|token|api_?key|authorization|cookie|master_key)$")


class Redactor:
    """Strikes registered secrets and secret shapes out of text and nested values. Safe to share between threads."""

    def __init__(self) -> None:
        self._by_head: dict[str, tuple[str, ...]] = {}
        """By their first eight characters, the longest first: a worker learns secrets of every cell that it works on, so
        neither learning one more nor looking for all of them may grow with their number, as one pattern of all would."""
        self._lock = threading.Lock()

    def register(self, *values: str) -> None:
        """Strike these values out from now on; values under eight characters are left to their shape."""
        with self._lock:
            for value in values:
                head = value[:_MIN_LENGTH]
                if len(head) == _MIN_LENGTH and value not in (known := self._by_head.get(head, ())):
                    self._by_head[head] = tuple(sorted((*known, value), key=len, reverse=True))

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
        heads = self._by_head
        parts, kept = [], 0
        for at in [at for at in range(len(text) - _MIN_LENGTH + 1) if text[at : at + _MIN_LENGTH] in heads]:
            value = next((each for each in heads[text[at : at + _MIN_LENGTH]] if text.startswith(each, at)), None)
            if value is not None and at >= kept:
                parts += [text[kept:at], MASK]
                kept = at + len(value)
        return "".join([*parts, text[kept:]])

    def _member(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and value and _SENSITIVE_KEY.search(key):
            return MASK
        return self.value(value)
