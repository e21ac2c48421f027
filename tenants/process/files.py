"""Files that appear complete or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_file(path: Path, text: str, *, mode: int = 0o600, group: int | None = None) -> bool:
    """Write by rename, with `mode` from the first byte on; True when the content or its access changed."""
    if _same(path, text, mode, group):
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if group is not None:
                os.fchown(file.fileno(), -1, group)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return True


def _same(path: Path, text: str, mode: int, group: int | None) -> bool:
    try:
        info = path.lstat()
        if info.st_mode & 0o7777 != mode or (group is not None and info.st_gid != group):
            return False
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def write_json(path: Path, value: Mapping[str, Any], *, mode: int = 0o600) -> bool:
    """`value` as JSON, by rename."""
    return write_file(path, json.dumps(value, indent=1, sort_keys=True) + "\n", mode=mode)


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty when there is none or it is damaged (it is only a record, never the truth)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
