"""The test cluster's programs, built from Go modules: none of them can be had ready-made from a package registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from rich.console import Console

from clawstack.errors import NeedsAttentionError
from toolchain.building import place
from toolchain.cluster.pins import CLUSTER_BUILDS, KWOK_BUILD, Build
from toolchain.progress import Progress, minutes
from toolchain.steps import cluster_images, cluster_system, openclaw
from toolchain.surroundings import Downloads, Surroundings


def ensure(around: Surroundings, console: Console) -> None:
    """After this everything is there from which `cluster start` starts, or NeedsAttentionError says what to do."""
    cluster_system.ensure(around, console)
    for build in CLUSTER_BUILDS:
        ensure_build(around, console, build)
    openclaw.ensure(around, console)
    cluster_images.ensure(around, console)


def ensure_kwok(around: Surroundings, console: Console) -> None:
    """The program that stands in for nodes, for measurements with hundreds of cells."""
    ensure_build(around, console, KWOK_BUILD)


def ensure_build(around: Surroundings, console: Console, build: Build) -> None:
    """One module's programs, built and tried once, then only found."""
    progress = Progress(console=console, name=build.name.replace("_", "-").capitalize())
    if not build.folder(around).is_dir():
        go = _require_go(around, build)
        progress.note(f"building {build.version} from Go modules; {build.about}")
        began = time.monotonic()

        def fill(scratch: Path) -> None:
            _compile(around, progress, build, scratch, go)
            _verify(build, scratch / "bin")

        if place(build.folder(around), fill, waiting=lambda: progress.note("another set-up is building it; waiting")):
            progress.note(f"built in {minutes(time.monotonic() - began)}")
    progress.ready(f"{build.version}, built from Go modules")


def _require_go(around: Surroundings, build: Build) -> Path:
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            f"The test cluster needs {build.name}, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to build it.",
            remedy="Set it to `registries` or `all`, or set CLAWSTACK_KUBECONFIG to a cluster that is there.",
        )
    go = around.which("go")
    if go is None:
        raise NeedsAttentionError(
            f"The test cluster needs {build.name} built from Go modules, and there is no `go` on PATH.",
            remedy="Install Go 1.26 or newer (https://go.dev/doc/install), or set CLAWSTACK_KUBECONFIG to a cluster that is there.",
        )
    return go


def _compile(around: Surroundings, progress: Progress, build: Build, scratch: Path, go: Path) -> None:
    module, binaries = scratch / "module", scratch / "bin"
    module.mkdir()
    binaries.mkdir()
    for file in build.files:
        shutil.copy(file, module)
    environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    flags = " ".join(("-s", "-w", *(f"-X {variable}" for variable in build.variables)))
    command: list[str | Path] = [go, "build", "-o", f"{binaries}/", "-trimpath", "-ldflags", flags, *build.packages]
    log = around.cache / "logs" / f"cluster-{build.name}.log"
    progress.run(command, log=log, doing="building", folder=module, environ=environ, limit=3600)


def _verify(build: Build, binaries: Path) -> None:
    if not build.proof:
        return
    program, *arguments = build.proof
    answer = subprocess.run(  # noqa: S603 - the file that was just made
        [binaries / program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    if build.version not in answer.stdout + answer.stderr:
        raise NeedsAttentionError(
            f"The new {program} answers {(answer.stdout or answer.stderr).strip()[:200]!r} instead of its version {build.version}.",
            remedy="Run the set-up again.",
        )
