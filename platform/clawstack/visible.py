"""Text from outside, made visible: nothing in it can steer a terminal, forge a line or turn the reading direction."""

from __future__ import annotations

import re
from typing import Final

#: Control characters (C0, DEL, C1), separators that some take for line ends, marks that turn text around, and halves of
#: surrogate pairs, which no stream can encode. Joiners stay: scripts and emoji need them.
_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LATIN: Final = 0x100


def visible(text: str, *, keep: str = "") -> str:
    """`text` with such characters written as Python writes them (`<ESC>` as backslash, x, 1b), but for those in `keep`."""
    return _STEERING.sub(lambda match: match[0] if match[0] in keep else _written(match[0]), text)


def visible_json(document: str) -> str:
    """A JSON text with such characters as JSON's own escapes: the same document. Its line breaks stay."""
    return _STEERING.sub(lambda match: "\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", document)


def _written(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < _LATIN else f"\\u{ord(letter):04x}"
