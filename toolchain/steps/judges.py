"""kubeconform and kube-score, built from Go modules, and the schemas that the first judges by.

Only tests and CI need them; a machine without Go runs the product all the same.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from clawstack.errors import NeedsAttentionError
from toolchain.ground.building import place
from toolchain.ground.surroundings import Downloads, Surroundings, executable
from toolchain.judges import pins, schemas, sources
from toolchain.judges.pins import Judge
from toolchain.judges.sources import Source
from toolchain.steps import go
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use
from toolchain.tasks.progress import Progress

_FETCH_SECONDS: Final = 600.0


def ensure_judge(around: Surroundings, board: Board, judge: Judge) -> None:
    """One judge, built and tried once, then only found."""
    progress = Progress(board=board, name=judge.name.capitalize())
    if not executable(judge.binary(around)):
        tool = _require_go(around)
        progress.note(f"building {judge.version} from Go modules; about a minute, once per machine")

        def fill(scratch: Path) -> None:
            go.build(
                progress, go=tool, pins=judge.files, scratch=scratch, packages=(judge.package,),
                variables=(f"main.version={judge.version}",), log=around.cache / "logs" / f"{judge.name}.log",
            )  # fmt: skip
            go.verify(scratch / "bin" / judge.name, judge.proof, judge.version)

        place(judge.folder(around), fill, waiting=lambda: _waiting(progress))
    progress.done(f"{judge.version}, built from Go modules")


def ensure_schemas(around: Surroundings, board: Board) -> None:
    """What kubeconform judges by, made out of Kubernetes' own documents."""
    progress = Progress(board=board, name="Schemas")
    if not pins.schema_folder(around).is_dir():
        _require_go(around)
        progress.note(f"fetching the API of Kubernetes {sources.KUBERNETES} as a Go module")
        with progress.doing("fetching and writing"):
            place(pins.schema_folder(around), _write_schemas, waiting=lambda: _waiting(progress))
    progress.done(f"of Kubernetes {sources.KUBERNETES}")


def _require_go(around: Surroundings) -> Path:
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            "The judges of manifests are missing, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to get them.",
            remedy="Set it to `registries` or `all`.",
        )
    tool = around.which("go")
    if tool is None:
        raise NeedsAttentionError(
            "The judges of manifests are built from Go modules, and there is no `go` on PATH.",
            remedy="Install Go 1.26 or newer (https://go.dev/doc/install).",
        )
    return tool


def _write_schemas(scratch: Path) -> None:
    document = json.loads(_fetch(sources.KUBERNETES_API).read_text(encoding="utf-8"))
    route: dict[str, Any] = yaml.safe_load(_fetch(sources.ROUTES).read_text(encoding="utf-8"))
    for name, schema in (*schemas.of_api(document), *schemas.of_crd(route, document)):
        file = scratch / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(schema, sort_keys=True), encoding="utf-8")


def _fetch(source: Source) -> Path:
    """The file in Go's own cache; the checksum that Go computes must be the pinned one."""
    try:
        answer = subprocess.run(  # noqa: S603 - the person's own Go
            ["go", "mod", "download", "-json", f"{source.module}@{source.version}"],  # noqa: S607 - where PATH has it
            capture_output=True, text=True, check=True, timeout=_FETCH_SECONDS,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NeedsAttentionError(
            f"The Go module {source.module} {source.version} could not be fetched: {error}.",
            remedy="Check that the Go module proxy can be reached, and run the set-up again.",
        ) from error
    fetched = json.loads(answer.stdout)
    if fetched["Sum"] != source.checksum:
        raise NeedsAttentionError(
            f"The Go module {source.module} {source.version} is {fetched['Sum']}, not {source.checksum}.",
            remedy="Somebody changed it on the way: do not go on before you know who.",
        )
    return Path(fetched["Dir"]) / source.file


def _waiting(progress: Progress) -> None:
    progress.note("another set-up is at it; waiting")


TASKS: Final = (
    *(Task(name=judge.name, act=partial(ensure_judge, judge=judge), use=Use.GO) for judge in reversed(pins.JUDGES)),
    Task(name="schemas", act=ensure_schemas),
)
"""kube-score first: its build is the longer one."""
