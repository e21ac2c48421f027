"""The one list of what gives a secret away by its form: the redactor strikes it out, the policy pack refuses it.

This platform's own tokens follow from `TokenKind`, so that a new kind is known to both from its first day.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clawstack.tokens import TokenKind

_PREFIXES: Final = "|".join(kind.value for kind in TokenKind)

#: Name of a shape to its head, which may be shown and tells the reader what stood there, and its secret rest.
SECRET_SHAPES: Final[Mapping[str, tuple[str, str]]] = {
    "token": (rf"(?:{_PREFIXES})_[0-9a-zA-Z]{{12}}_", r"[0-9a-zA-Z]{20,}"),
    "stripe": (r"\b(?:sk|rk)_(?:test|live)_|\bwhsec_", r"[0-9a-zA-Z_]{6,}"),
    "bot": (r"\b\d{6,12}:", r"[0-9A-Za-z_-]{30,}"),
    "vendor": (r"\bsk-", r"[0-9A-Za-z_-]{16,}"),
    # Up to its end where that is there; a block that was cut off has only its lines of base64.
    "private_key": (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", r"(?:[0-9A-Za-z+/=\s]|\\n)*(?:-----END [A-Z ]*-----)?"),
}


def pattern(shapes: Mapping[str, tuple[str, str]]) -> str:
    """One regular expression of all these shapes; the head of the one that matched is its only group with a value."""
    return "|".join(f"(?P<{name}>{head}){rest}" for name, (head, rest) in shapes.items())
