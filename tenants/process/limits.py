"""Limits of a cell: rlimits always, control groups where this machine lets us write them.

RLIMIT_AS is not used: Node reserves tens of gigabytes of address space and dies at once. Memory is held by Node's
heap limit, by the memory control group where writable, and by the launcher's watch on resident memory elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Final

import psutil

from tenants.process.launch import Limits

_CGROUPS: Final = Path("/sys/fs/cgroup")
_FAMILY: Final = "clawstack"
_LAUNCHER_MB: Final = 64
"""The launcher itself lives in the group."""
_PERIOD_US: Final = 100_000
_MB: Final = 1024 * 1024


def set_own_limits(limits: Limits) -> None:
    """Open files, file size and core dumps, for this process and what it starts."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.max_open_files)
    _lower(resource.RLIMIT_FSIZE, limits.disk_mb * _MB)


def process_limit(limits: Limits, *, uid: int | None) -> int:
    """RLIMIT_NPROC counts all threads of a user: without an account of its own the platform's come on top."""
    if uid is not None:
        return limits.max_processes
    return limits.max_processes + sum(_threads(process) for process in psutil.process_iter())


def set_process_limit(count: int) -> None:
    """To be called in the child, as its final user."""
    _lower(resource.RLIMIT_NPROC, count)


def join_control_group(slug: str, limits: Limits) -> list[str]:
    """Put this process into the cell's control groups; the names of those that could be had."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return _join_unified(slug, limits)
    memory = (limits.memory_mb + _LAUNCHER_MB) * _MB
    wanted: dict[str, dict[str, int | str]] = {
        "memory": {"memory.limit_in_bytes": memory},
        "pids": {"pids.max": limits.max_processes},
        "cpu": {"cpu.cfs_period_us": _PERIOD_US, "cpu.cfs_quota_us": -1},
    }
    return [name for name, values in wanted.items() if _join(_CGROUPS / name / _FAMILY / slug, values)]


def limit_cpu(slug: str, limits: Limits) -> None:
    """Hold the cell to its processors. Not before it is up: a start uses two for seconds, and people wait for it."""
    quota = int(limits.cpu * _PERIOD_US)
    for file, value in (
        (_CGROUPS / "cpu" / _FAMILY / slug / "cpu.cfs_quota_us", str(quota)),
        (_CGROUPS / _FAMILY / slug / "cpu.max", f"{quota} {_PERIOD_US}"),
    ):
        if file.exists():
            with contextlib.suppress(OSError):
                file.write_text(value)


def leave_control_groups(slug: str) -> None:
    """Remove the cell's (empty) control groups."""
    for folder in (
        _CGROUPS / _FAMILY / slug,
        *(_CGROUPS / name / _FAMILY / slug for name in ("memory", "pids", "cpu")),
    ):
        try:
            folder.rmdir()
        except OSError:
            continue


def _join_unified(slug: str, limits: Limits) -> list[str]:
    values: dict[str, int | str] = {
        "memory.max": (limits.memory_mb + _LAUNCHER_MB) * _MB,
        "pids.max": limits.max_processes,
        "cpu.max": f"max {_PERIOD_US}",
    }
    try:
        family = _CGROUPS / _FAMILY
        family.mkdir(exist_ok=True)
        for folder in (_CGROUPS, family):
            (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    except OSError:
        return []
    return ["memory", "pids", "cpu"] if _join(family / slug, values) else []


def _join(folder: Path, values: dict[str, int | str]) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name).write_text(str(value))
        (folder / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return False
    return True


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    ceiling = value if hard == resource.RLIM_INFINITY or os.geteuid() == 0 else min(value, hard)
    resource.setrlimit(kind, (ceiling, ceiling))


def _threads(process: psutil.Process) -> int:
    try:
        return process.num_threads() if process.uids().real == os.getuid() else 0
    except psutil.Error:
        return 0
