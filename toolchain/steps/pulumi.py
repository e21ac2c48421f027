"""The Pulumi CLI: installed already, else the official release, else built from Go modules.

The build exists because the CLI has no package on PyPI, npm or in Debian, and not every machine may reach Pulumi's
own site, while the Go module proxy serves the CLI's source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError, TemporaryError
from toolchain.ground import pins
from toolchain.ground.building import place
from toolchain.ground.finding import Found, find_pulumi, pulumi_built, pulumi_release
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.steps import go as building
from toolchain.steps import release
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use
from toolchain.tasks.progress import Progress

_HOST_SCRIPT: Final = Path("python", "cmd", "pulumi-language-python-exec")
_VERSION_VARIABLE: Final = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_PACKAGE: Final = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_SDK: Final = "github.com/pulumi/pulumi/sdk/v3"


def ensure(around: Surroundings, board: Board) -> None:
    """After this `find_pulumi` finds a CLI, or NeedsAttentionError says what to do."""
    progress = Progress(board=board, name="Pulumi CLI")
    found = find_pulumi(around)
    if found is None and around.downloads is Downloads.ALL:
        _download(around, progress)
        found = find_pulumi(around)
    if found is None:
        _build(around, progress, _require_building(around))
        found = find_pulumi(around)
    if found is None:
        raise NeedsAttentionError("The Pulumi CLI was built but cannot be found again; this is a defect.")
    progress.done(_told(found))


def _told(found: Found) -> str:
    how = {"installed": "installed on this machine", "release": "official release", "built": "built from Go modules"}
    return f"{found.version}, {how[found.origin]}"


def _download(around: Surroundings, progress: Progress) -> None:
    if not release.reachable():
        progress.note("the official release cannot be reached from here; building from Go modules instead")
        return
    folder = pulumi_release(around)

    def fill(scratch: Path) -> None:
        release.fetch_cli(pins.PULUMI_RELEASE, around.machine, scratch / "bin")
        _verify(scratch / "bin" / "pulumi", pins.PULUMI_RELEASE)

    progress.note(f"downloading the official release {pins.PULUMI_RELEASE}")
    try:
        place(folder, fill, waiting=lambda: progress.note("another set-up is at it; waiting"))
    except TemporaryError as error:
        progress.note(f"{error.sentence()} Building from Go modules instead")


def _require_building(around: Surroundings) -> Path:
    installation = "install Pulumi yourself (https://www.pulumi.com/docs/install/)"
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            "There is no suitable Pulumi CLI, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to get one.",
            remedy=f"Set it to `registries` or `all`, or {installation}.",
        )
    go = around.which("go")
    if go is None:
        raise NeedsAttentionError(
            "The Pulumi CLI must be built from Go modules here, and there is no `go` on PATH.",
            remedy=f"Install Go 1.25 or newer (https://go.dev/doc/install), or {installation}.",
        )
    return go


def _build(around: Surroundings, progress: Progress, go: Path) -> None:
    progress.note(f"building {pins.PULUMI_BUILT} from Go modules; about 4 minutes on two cores, once per machine")

    def fill(scratch: Path) -> None:
        _compile(around, progress, scratch, go)
        _verify(scratch / "bin" / "pulumi", pins.PULUMI_BUILT)

    place(pulumi_built(around), fill, waiting=lambda: progress.note("another set-up is building it; waiting"))


def _compile(around: Surroundings, progress: Progress, scratch: Path, go: Path) -> None:
    module = building.build(
        progress,
        go=go,
        pins=pins.PULUMI_PINS,
        scratch=scratch,
        packages=(_PACKAGE,),
        log=around.cache / "logs" / "pulumi.log",
        variables=(f"{_VERSION_VARIABLE}=v{pins.PULUMI_BUILT}",),
    )
    # The script that runs a Python program lies in the same Go module; the offline language host needs it.
    listing = subprocess.run(  # noqa: S603 - the person's own Go
        [go, "list", "-m", "-f", "{{.Dir}}", _SDK],
        cwd=module,
        env=building.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    shutil.copy(Path(listing.stdout.strip()) / _HOST_SCRIPT, scratch / "bin")
    (scratch / "bin" / _HOST_SCRIPT.name).chmod(0o755)


def _verify(binary: Path, version: str) -> None:
    environ = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    answer = subprocess.run(  # noqa: S603 - the file that was just made
        [binary, "version"], capture_output=True, text=True, check=False, timeout=60, env=environ
    )
    if answer.stdout.strip() != f"v{version}":
        raise NeedsAttentionError(
            f"The new Pulumi CLI answers {answer.stdout.strip() or answer.stderr.strip()!r} instead of v{version}.",
            remedy="Run the set-up again; if it stays so, install Pulumi yourself.",
        )


TASKS: Final = (Task(name="pulumi", act=ensure, use=Use.GO),)
