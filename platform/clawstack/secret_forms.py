"""The forms in which a secret comes back out of somebody else's mouth: whole, escaped, encoded, or line by line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Final

from clawstack.redaction import Redactor

_SHORTEST_LINE: Final = 12
"""Characters; a shorter line of a long secret is as likely to be an ordinary word (`packages:`)."""
#: Go's JSON writes these three so, whatever they stand in.
_GO_ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def redactor_of(values: Iterator[str]) -> Redactor:
    """A redactor of its own that knows `values` in all their forms."""
    found = Redactor()
    for value in values:
        found.register(*forms(value))
    return found


def forms(value: str) -> Iterator[str]:
    """The value, its escaped and encoded forms, and the same of each of its lines: a refusal may quote a part."""
    yield from _escaped(value)
    yield base64.b64encode(value.encode()).decode()
    lines = [line.strip() for line in value.splitlines()]
    for line in lines if len(lines) > 1 else []:
        if len(line) >= _SHORTEST_LINE:
            yield from _escaped(line)


def _escaped(value: str) -> Iterator[str]:
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    yield from {value, plain, plain.translate(_GO_ESCAPES), json.dumps(value)[1:-1]}
