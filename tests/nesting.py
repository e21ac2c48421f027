"""Folders in folders, deeper than paths reach: made step by step from descriptors."""

from __future__ import annotations

import os
from pathlib import Path


def nest(top: Path, depth: int, name: str = "d") -> None:
    """Below the folder `top`, each with a file `file-NUMBER` in it."""
    folder = os.open(top, os.O_RDONLY)
    for number in range(depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.mknod(f"file-{number}", dir_fd=inner)
        os.close(folder)
        folder = inner
    os.close(folder)
