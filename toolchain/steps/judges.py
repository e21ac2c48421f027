"""kubeconform and kube-score, built from Go modules, and the schemas that the first judges by.

Only tests and CI need them; a machine without Go runs the product all the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console

from clawstack.errors import NeedsAttentionError
from toolchain.building import place
from toolchain.judges import pins, schemas
from toolchain.judges.pins import Judge, Source
from toolchain.judges.running import missing
from toolchain.progress import Progress, minutes
from toolchain.surroundings import Downloads, Surroundings, executable

_FETCH_SECONDS: Final = 600.0


def ensure(around: Surroundings, console: Console) -> None:
    """After this `running.missing` finds nothing missing, or NeedsAttentionError says what to do."""
    progress = Progress(console=console, name="Judges")
    if missing(around):
        _require_go(around)
    for judge in pins.JUDGES:
        if not executable(judge.binary(around)):
            _build(around, progress, judge)
    if not pins.schema_folder(around).is_dir():
        place(pins.schema_folder(around), _write_schemas, waiting=lambda: _waiting(progress))
    progress.ready(", ".join(f"{judge.name} {judge.version}" for judge in pins.JUDGES))


def _require_go(around: Surroundings) -> None:
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            "The judges of manifests are missing, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to get them.",
            remedy="Set it to `registries` or `all`.",
        )
    if around.which("go") is None:
        raise NeedsAttentionError(
            "The judges of manifests are built from Go modules, and there is no `go` on PATH.",
            remedy="Install Go 1.26 or newer (https://go.dev/doc/install).",
        )


def _build(around: Surroundings, progress: Progress, judge: Judge) -> None:
    began = time.monotonic()
    progress.note(f"building {judge.name} {judge.version} from Go modules; about a minute, once per machine")

    def fill(scratch: Path) -> None:
        module = scratch / "module"
        module.mkdir()
        for pin in judge.files:
            shutil.copy(pin, module)
        command: list[str | Path] = ["go", "build", "-o", scratch / "bin" / judge.name, "-trimpath", "-ldflags"]
        environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
        log = around.cache / "logs" / f"{judge.name}.log"
        flags = f"-s -w -X main.version={judge.version}"
        progress.run([*command, flags, judge.package], log=log, doing="building", folder=module, environ=environ)
        _verify(scratch / "bin" / judge.name, judge)

    if place(judge.folder(around), fill, waiting=lambda: _waiting(progress)):
        progress.note(f"built in {minutes(time.monotonic() - began)}")


def _verify(binary: Path, judge: Judge) -> None:
    answer = subprocess.run(  # noqa: S603 - the file that was just made
        [binary, *judge.proof], capture_output=True, text=True, check=False, timeout=60
    )
    if judge.version not in answer.stdout:
        raise NeedsAttentionError(
            f"The new {judge.name} answers {(answer.stdout or answer.stderr).strip()!r} instead of {judge.version}.",
            remedy="Run the set-up again.",
        )


def _write_schemas(scratch: Path) -> None:
    document = json.loads(_fetch(pins.KUBERNETES_API).read_text(encoding="utf-8"))
    route: dict[str, Any] = yaml.safe_load(_fetch(pins.ROUTES).read_text(encoding="utf-8"))
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
