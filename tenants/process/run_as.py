"""Runs a program as a cell's account: `python -I -m tenants.process.run_as UID GID ROOT PROGRAM ARGUMENT...`.

ROOT is the cell's folder. The gateway and every other program of a cell become what they are here, held to what
`tenants.process.confinement` says.

A program of its own because `subprocess` with `user=` must fork, and forking a process that serves gRPC crashes the
child now and then (seen: SIGSEGV before exec); without `user=` it uses vfork, which is safe. The program ends when
whoever started it dies (Linux).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

from tenants.paths import CellPaths
from tenants.process.accounts import Ids
from tenants.process.confinement import hold_to_itself, private_places

_PR_SET_PDEATHSIG: Final = 1


def command(ids: Ids | None, root: Path, *program: str | Path) -> list[str]:
    """The arguments for `subprocess` that run `program` as `ids` in the cell at `root`, or as the caller when None."""
    wanted = [str(part) for part in program]
    if ids is None:
        return wanted
    return [sys.executable, "-I", "-m", "tenants.process.run_as", str(ids.uid), str(ids.gid), str(root), *wanted]


def main() -> None:
    """Drop to the account, for good, then become the program."""
    uid, gid, root, *program = sys.argv[1:]
    if sys.platform == "linux":
        _set_apart(CellPaths(root=Path(root)), program)
    os.setgroups([])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    os.umask(0o077)
    if sys.platform == "linux":
        hold_to_itself()
    die_with_parent()  # changing the account clears it, so afterwards
    os.execv(program[0], program)  # noqa: S606 - the point of this program


def _set_apart(paths: CellPaths, program: list[str]) -> None:
    try:
        private_places(paths, kept=program[:2])  # node and what it runs; arguments are the cell's affair
    except PermissionError as error:
        # A container may forbid mounts. Shared temporary folders are what every account of a machine lives with.
        sys.stderr.write(f"[clawstack] the temporary folders of this machine are shared with the cell: {error}\n")


def die_with_parent() -> None:
    """Linux: SIGTERM to this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    main()
