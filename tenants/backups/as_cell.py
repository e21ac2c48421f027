"""Runs a program on a cell's state: as its account, without any of its tokens, and bounded in time and in what it writes."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tenants.paths import CellPaths
from tenants.process.accounts import Ids
from tenants.process.disk import free_and_reserve
from tenants.process.run_as import command


def run(
    paths: CellPaths, ids: Ids | None, *program: str | Path, env: Mapping[str, str], seconds: float, most: int
) -> subprocess.CompletedProcess[str]:
    """What it said and its exit code; no file that it writes grows past `most` bytes (Linux): EFBIG or SIGXFSZ ends it.

    Raises OSError when it cannot be started and subprocess.TimeoutExpired after `seconds`, when it is killed.
    """
    with subprocess.Popen(  # noqa: S603 - no shell; the programs are the platform's own
        command(ids, paths.root, *program), cwd="/", env=dict(env), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            _bound(process.pid, most)
            output, errors = process.communicate(timeout=seconds)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def room(paths: CellPaths) -> int:
    """Bytes that one file may take: half of what is free beyond the database's reserve, for an archive is sealed beside itself."""
    free, reserve = free_and_reserve(paths.root)
    return max(0, free - reserve) // 2


def _bound(process: int, most: int) -> None:
    if sys.platform == "linux":
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
