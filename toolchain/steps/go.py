"""Builds commands from a committed Go module, the same way for every part: what they share is compiled once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.tasks.progress import Progress

# Every build takes the same settings: Go's cache keeps a package compiled with other ones apart.
_SETTINGS: Final[Mapping[str, str]] = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
_NO_DEBUGGER: Final = "-gcflags=all=-dwarf=false"
"""What a debugger needs is not even made: the linker drops it (`-w`), and without it a build takes a tenth less of CPU."""


def build(
    progress: Progress,
    *,
    go: Path,
    pins: Iterable[Path],
    scratch: Path,
    packages: Sequence[str],
    log: Path,
    variables: Sequence[str] = (),
    limit: float = 3600,
) -> Path:
    """Builds `packages` into `scratch`/bin with exactly the versions of `pins`; the answer is the module's folder.

    `variables`: `package.Name=value`, as the linker sets them.
    """
    module, binaries = scratch / "module", scratch / "bin"
    module.mkdir()
    binaries.mkdir()
    for pin in pins:
        shutil.copy(pin, module)
    flags = " ".join(("-s", "-w", *(f"-X {variable}" for variable in variables)))
    options = ("-trimpath", _NO_DEBUGGER, "-ldflags", flags)
    command: list[str | Path] = [go, "build", "-o", f"{binaries}/", *options, *packages]
    progress.run(command, log=log, doing="building", folder=module, environ=environment(), limit=limit)
    return module


def environment() -> dict[str, str]:
    """What Go is started with."""
    return {**os.environ, **_SETTINGS}


def verify(binary: Path, arguments: Sequence[str], version: str) -> None:
    """The new command must name its version; raises NeedsAttentionError with what it says instead."""
    answer = subprocess.run(  # noqa: S603 - the file that was just made
        [binary, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    if version not in answer.stdout + answer.stderr:
        raise NeedsAttentionError(
            f"The new {binary.name} answers {(answer.stdout or answer.stderr).strip()[:200]!r} instead of its version {version}.",
            remedy="Run the set-up again.",
        )
