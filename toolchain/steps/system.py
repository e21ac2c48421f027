"""Packages of the operating system, where this account may install them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.ground.finding import find_chromium
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use
from toolchain.tasks.progress import Progress

CHROMIUM_COMMAND: Final = "apt-get install --no-install-recommends chromium fonts-dejavu-core"


@dataclass(frozen=True, kw_only=True)
class SystemPackage:
    """A Debian package, the executable that proves it is there, and what it is for."""

    package: str
    executable: str
    purpose: str


SYSTEM_PACKAGES: Final = (
    SystemPackage(package="passwd", executable="useradd", purpose="gives cells and the database accounts of their own"),
    SystemPackage(
        package="nftables", executable="nft", purpose="walls cells in, so that they reach the platform alone"
    ),
)
"""What the product runs beside what comes from PyPI and npm. Only root makes accounts and walls, so only root needs it."""


def missing_packages(around: Surroundings) -> tuple[SystemPackage, ...]:
    """Those that this account needs and whose executable is neither on PATH nor in the folders that PATH may leave out."""
    if not around.root:
        return ()
    extended = (*map(str, around.path), "/usr/sbin", "/sbin")
    return tuple(
        package
        for package in SYSTEM_PACKAGES
        if not any(os.access(os.path.join(folder, package.executable), os.X_OK) for folder in extended)  # noqa: PTH118
    )


def ensure(around: Surroundings, board: Board) -> None:
    """Installs what the product itself needs from the operating system."""
    progress = Progress(board=board, name="System packages")
    missing = missing_packages(around)
    if missing:
        apt_install(around, progress, [package.package for package in missing], "; ".join(p.purpose for p in missing))
    progress.done(", ".join(package.package for package in SYSTEM_PACKAGES))


def ensure_chromium(around: Surroundings, board: Board) -> None:
    """Installs the browser that the end-to-end tests drive."""
    progress = Progress(board=board, name="Chromium")
    if find_chromium(around) is None:
        apt_install(around, progress, ["chromium", "fonts-dejavu-core"], "the browser tests need it")
    progress.done(str(find_chromium(around)))


def apt_install(around: Surroundings, progress: Progress, packages: list[str], why: str) -> None:
    """Install Debian packages. Raises NeedsAttentionError with the command where this account may not do it."""
    apt = around.which("apt-get")
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not around.root or apt is None or around.downloads is Downloads.NEVER:
        prefix = "" if around.root else "sudo "
        raise NeedsAttentionError(
            f"{' and '.join(packages)} not installed ({why}), and this account may not do it.",
            remedy=f"Run `{prefix}{command}`, or your system's equivalent.",
        )
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    progress.note(f"installing {', '.join(packages)} with apt")
    log = around.cache / "logs" / "apt.log"
    # Another apt may be at work on a fresh machine; wait for its lock instead of failing.
    options: tuple[str, ...] = ("-q", "-y", "-o", "DPkg::Lock::Timeout=300")
    update: list[str | Path] = [apt, "update", *options]
    progress.run(update, log=log, doing="reading package lists", environ=environ)
    install: list[str | Path] = [apt, "install", *options, "--no-install-recommends", *packages]
    progress.run(install, log=log, doing=f"installing {', '.join(packages)}", environ=environ)


SYSTEM_TASKS: Final = (Task(name="system", act=ensure, use=Use.APT),)
CHROMIUM_TASKS: Final = (Task(name="chromium", act=ensure_chromium, use=Use.APT),)
