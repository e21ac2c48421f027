"""Where files wait for machines. One module, so that those who put and those who fetch agree."""

from __future__ import annotations

from pathlib import Path


def waiting_restore(archives: Path, slug: str) -> Path:
    """Where an archive waits for the first machine of a cell."""
    return archives / slug / ".restore"
