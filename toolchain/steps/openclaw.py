"""Node and OpenClaw from npm, exactly as the committed lock files say.

Node comes first and on its own: npm leaves out optional packages whose engine range the Node that runs npm does not
meet, and OpenClaw's native file safety is such a package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.ground import pins
from toolchain.ground.building import place
from toolchain.ground.finding import find_node, find_openclaw, node_slot, npm_node, openclaw_slot
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use
from toolchain.tasks.progress import Progress


def ensure(around: Surroundings, board: Board) -> None:
    """After this `find_node` and `find_openclaw` find both, or NeedsAttentionError says what to do."""
    node = _ensure_node(around, Progress(board=board, name="Node"))
    _ensure_openclaw(around, Progress(board=board, name="OpenClaw"), node)


def _ensure_node(around: Surroundings, progress: Progress) -> Path:
    found = find_node(around)
    if found is None:
        npm = _require_npm(around, "Node")
        progress.note("installing with npm")

        def fill(scratch: Path) -> None:
            _install(around, progress, npm=npm, scratch=scratch, files=pins.NODE_PINS)
            binary = npm_node(scratch, around.machine)
            if binary is None or pins.NODE not in _answer([binary, "--version"]):
                raise NeedsAttentionError(
                    f"npm has no working Node {pins.NODE} for {around.machine}.",
                    remedy=f"Install Node {pins.dotted(pins.NODE_MINIMUM)} or newer and put it on PATH.",
                )

        place(node_slot(around), fill, waiting=lambda: progress.note("another set-up is at it; waiting"))
        found = find_node(around)
    if found is None:
        raise NeedsAttentionError("Node was installed but cannot be found again; this is a defect.")
    progress.done(f"{found.version}, {'from npm' if found.origin == 'npm' else found.path}")
    return found.path


def _ensure_openclaw(around: Surroundings, progress: Progress, node: Path) -> None:
    if find_openclaw(around) is None:
        npm = _require_npm(around, "OpenClaw")
        progress.note("installing with npm; about half a minute, 650 MB")

        def fill(scratch: Path) -> None:
            _install(around, progress, npm=npm, scratch=scratch, files=pins.OPENCLAW_PINS, node=node)
            _complete(node, scratch)

        place(openclaw_slot(around), fill, waiting=lambda: progress.note("another set-up is at it; waiting"))
    progress.done(f"{pins.OPENCLAW}, from npm")


def _require_npm(around: Surroundings, name: str) -> Path:
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            f"{name} is missing, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to get it.",
            remedy="Set it to `registries` or `all`.",
        )
    npm = around.which("npm")
    if npm is None:
        raise NeedsAttentionError(
            f"{name} comes through npm, and there is no `npm` on PATH.",
            remedy="Install Node with npm, for example with `apt-get install npm`.",
        )
    return npm


def _install(
    around: Surroundings,
    progress: Progress,
    *,
    npm: Path,
    scratch: Path,
    files: tuple[Path, ...],
    node: Path | None = None,
) -> None:
    for file in files:
        shutil.copy(file, scratch)
    path = os.pathsep.join([*([str(node.parent)] if node else []), *map(str, around.path)])
    # Scripts of 330 packages would run with the rights of whoever sets the machine up; none is needed.
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    log = around.cache / "logs" / f"npm-{progress.name.lower()}.log"
    command: list[str | Path] = [npm, "ci", *quiet]
    progress.run(command, log=log, doing="installing", folder=scratch, environ={**os.environ, "PATH": path})


def _complete(node: Path, scratch: Path) -> None:
    """The first start finishes the installation inside the tree, which is read-only for cells later."""
    script = scratch / "node_modules" / "openclaw" / "openclaw.mjs"
    answer = _answer([node, script, "--version"])
    if pins.OPENCLAW not in answer:
        raise NeedsAttentionError(
            f"The new OpenClaw answers {answer[-300:]!r} instead of its version {pins.OPENCLAW}.",
            remedy="Run the set-up again.",
        )


def _answer(command: list[str | Path]) -> str:
    with TemporaryDirectory(prefix="clawstack-setup-") as home:
        environ = {"PATH": os.defpath, "HOME": home, "OPENCLAW_NO_RESPAWN": "1"}
        answer = subprocess.run(  # noqa: S603 - what was just installed, in an empty home
            command, capture_output=True, text=True, check=False, timeout=120, env=environ
        )
    return answer.stdout if answer.returncode == 0 else answer.stdout + answer.stderr


TASKS: Final = (Task(name="openclaw", act=ensure, use=Use.NPM),)
