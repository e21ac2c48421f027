"""Files that somebody else reads."""

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Replace a file; a reader, also after a crash, sees the old text or the new one, never a part."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
