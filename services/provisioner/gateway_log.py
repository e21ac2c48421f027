"""The end of a gateway's log, for its owner and operators."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

#: The most that is read from the end of the file.
_WINDOW_BYTES: Final = 512 * 1024
_LONGEST_LINE: Final = 4000


def tail(path: Path, *, lines: int) -> list[str]:
    """The last `lines` lines, oldest first; none when there is no log. Blocks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _WINDOW_BYTES)
        file.seek(start)
        text = file.read(_WINDOW_BYTES).decode(errors="replace")
    found = text.splitlines()
    if start > 0:
        found = found[1:]  # the first one is cut
    return [line[:_LONGEST_LINE] for line in found[-lines:]]
