"""Runs a program as another account: `python -I -m tenants.process.run_as UID GID PROGRAM ARGUMENT...`.

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

from tenants.process.accounts import Ids

_PR_SET_PDEATHSIG: Final = 1


def command(ids: Ids | None, *program: str | Path) -> list[str]:
    """The arguments for `subprocess` that run `program` as `ids`, or as the caller when None."""
    wanted = [str(part) for part in program]
    if ids is None:
        return wanted
    return [sys.executable, "-I", "-m", "tenants.process.run_as", str(ids.uid), str(ids.gid), *wanted]


def main() -> None:
    """Drop to the account, for good, then become the program."""
    uid, gid, *program = sys.argv[1:]
    os.setgroups([])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    os.umask(0o077)
    die_with_parent()  # changing the account clears it, so afterwards
    os.execv(program[0], program)  # noqa: S606 - the point of this program


def die_with_parent() -> None:
    """Linux: SIGTERM to this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    main()
