"""Debian's own judges of what a fresh server is told: cloud-init's schema, and shellcheck. Tests alone need them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from toolchain.ground.surroundings import Surroundings
from toolchain.steps.system import apt_install
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use
from toolchain.tasks.progress import Progress

LINTERS: Final = ("cloud-init", "shellcheck")
DISABLED: Final = Path("/etc/cloud/cloud-init.disabled")
"""Without this file the package would set this very machine up anew at its next start
(https://cloudinit.readthedocs.io/en/latest/howto/disable_cloud_init.html)."""


def ensure(around: Surroundings, board: Board, *, disabled: Path = DISABLED) -> None:
    """Installs what is missing; a machine that had no cloud-init is left one that does nothing by itself."""
    progress = Progress(board=board, name="Linters")
    missing = [name for name in LINTERS if around.which(name) is None]
    if missing:
        if "cloud-init" in missing and around.root:
            disabled.parent.mkdir(parents=True, exist_ok=True)
            disabled.touch()
        apt_install(around, progress, missing, "tests judge user data and scripts with them")
    progress.done(", ".join(LINTERS))


TASKS: Final = (Task(name="linters", act=ensure, use=Use.APT),)
