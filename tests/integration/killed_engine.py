"""What docs/operators.md tells to do to a stack's files after an engine was killed."""

from __future__ import annotations

from pathlib import Path


def mend(backend: Path) -> None:
    """Remove the attribute files that a kill left empty: every command would end with `failed to load checkpoint: EOF`."""
    for path in (backend / ".pulumi").rglob("*.attrs"):
        if path.stat().st_size == 0:
            path.unlink()
