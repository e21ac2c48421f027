"""The test cluster's programs, built from Go modules: none of them can be had ready-made from a package registry."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster import images, packages
from toolchain.cluster.pins import CLUSTER_BUILDS, KWOK_BUILD, PAUSE_BUILD, Build
from toolchain.ground.building import place
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.steps import go, openclaw
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use, merged
from toolchain.tasks.progress import Progress
from toolchain.tasks.together import carry_out


def ensure(around: Surroundings, board: Board) -> None:
    """After this everything is there from which `cluster start` starts, or NeedsAttentionError says what to do."""
    outcome = carry_out(TASKS, around, board)
    if outcome.failed:
        _, error = outcome.failed[0]
        raise error


def ensure_kwok(around: Surroundings, board: Board) -> None:
    """The program that stands in for nodes, for measurements with hundreds of cells."""
    ensure_build(around, board, KWOK_BUILD)


def ensure_build(around: Surroundings, board: Board, build: Build) -> None:
    """One module's programs, built and tried once, then only found."""
    progress = Progress(board=board, name=_title(build))
    if not build.folder(around).is_dir():
        tool = _require_go(around, build)
        progress.note(f"building {build.version} from Go modules; {build.about}")

        def fill(scratch: Path) -> None:
            log = around.cache / "logs" / f"cluster-{build.name}.log"
            go.build(
                progress, go=tool, pins=build.files, scratch=scratch,
                packages=build.packages, variables=build.variables, log=log,
            )  # fmt: skip
            if build.proof:
                program, *arguments = build.proof
                go.verify(scratch / "bin" / program, arguments, build.version)

        place(build.folder(around), fill, waiting=lambda: progress.note("another set-up is building it; waiting"))
    progress.done(f"{build.version}, built from Go modules")


def _title(build: Build) -> str:
    return build.name.replace("_", "-").capitalize()


def _require_go(around: Surroundings, build: Build) -> Path:
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            f"The test cluster needs {build.name}, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to build it.",
            remedy="Set it to `registries` or `all`, or set CLAWSTACK_KUBECONFIG to a cluster that is there.",
        )
    tool = around.which("go")
    if tool is None:
        raise NeedsAttentionError(
            f"The test cluster needs {build.name} built from Go modules, and there is no `go` on PATH.",
            remedy="Install Go 1.26 or newer (https://go.dev/doc/install), or set CLAWSTACK_KUBECONFIG to a cluster that is there.",
        )
    return tool


def _task(build: Build) -> Task:
    return Task(name=build.name, act=partial(ensure_build, build=build), use=Use.GO)


TASKS: Final = merged(
    (
        [_task(build) for build in CLUSTER_BUILDS],
        openclaw.TASKS,
        [
            Task(name="node packages", act=packages.ensure, use=Use.APT),
            Task(name="images", act=images.ensure, after=("node packages", PAUSE_BUILD.name, "openclaw")),
        ],
    )
)
KWOK_TASKS: Final = (_task(KWOK_BUILD),)
