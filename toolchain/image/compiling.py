"""Compiles Python files for a place where nobody can write: the compiled ones are taken without a look at the source."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.progress import Progress

_SECONDS: Final = 900.0


def compile_tree(around: Surroundings, progress: Progress, folder: Path, place: str) -> None:
    """Compile everything in `folder`, which is going to lie at `place`; the same bytes for the same sources.

    "unchecked-hash" (PEP 552): in the image no file has its time any more. Templates that look like Python and do not
    compile are left as they are.
    """
    command: list[str | Path] = [
        around.interpreter, "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash",
        "-s", folder, "-p", place, folder,
    ]  # fmt: skip
    log = around.cache / "logs" / "image-compiling.log"
    progress.run(command, log=log, doing="compiling", limit=_SECONDS)
