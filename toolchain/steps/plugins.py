"""Pulumi's plugins: the official ones where they can be had, else starters of the offline ones."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.ground import pins
from toolchain.ground.building import place
from toolchain.ground.finding import LAUNCHER_MARK, find_pulumi, is_launcher, pulumi_built
from toolchain.ground.plugin_choice import (
    WANTED,
    PluginChoice,
    Wanted,
    choose_plugins,
    generated_folder,
    starter,
)
from toolchain.ground.surroundings import Downloads, Surroundings, executable
from toolchain.steps import release
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task
from toolchain.tasks.progress import Progress

_SCRIPT: Final = "pulumi-language-python-exec"


def ensure(around: Surroundings, board: Board) -> None:
    """After this every plugin that the project needs is found, or NeedsAttentionError says what to do."""
    progress = Progress(board=board, name="Pulumi plugins")
    pulumi = find_pulumi(around)
    if pulumi is None:
        raise NeedsAttentionError(
            "Plugins come after the Pulumi CLI, which is missing.",
            remedy=f"Run `{around.interpreter} -m toolchain setup pulumi plugins`.",
        )
    choices = choose_plugins(around, pulumi.path)
    if around.downloads is Downloads.ALL and any(_lacks_official(choice) for choice in choices) and release.reachable():
        _install_official(around, progress, pulumi.path, choices)
        choices = choose_plugins(around, pulumi.path)
    for wanted, choice in zip(WANTED, choices, strict=True):
        if choice.path is None and (wanted.stand_in or wanted.project):
            _generate(around, wanted, pulumi.path)
    choices = choose_plugins(around, pulumi.path)
    _report(progress, choices)
    write_launcher(around)


def _lacks_official(choice: PluginChoice) -> bool:
    # The language host only comes inside the CLI's own release.
    return choice.origin == "offline" and choice.kind == "resource"


def _install_official(
    around: Surroundings, progress: Progress, pulumi: Path, choices: tuple[PluginChoice, ...]
) -> None:
    for choice in filter(_lacks_official, choices):
        command: list[str | Path] = [pulumi, "plugin", "install", choice.kind, choice.name, choice.version]
        log = around.cache / "logs" / f"plugin-{choice.name}.log"
        environ = {**os.environ, "PULUMI_HOME": str(around.pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            progress.run(command, log=log, doing=f"downloading {choice.name}", environ=environ, limit=300)
        except NeedsAttentionError:
            progress.note(f"the official {choice.name} plugin was not served")


def _generate(around: Surroundings, wanted: Wanted, pulumi: Path) -> None:
    def fill(scratch: Path) -> None:
        script = scratch / wanted.file
        script.write_text(starter(around, wanted))
        script.chmod(0o755)
        if wanted.kind == "language":
            shutil.copy(_host_script(around, pulumi), scratch / _SCRIPT)
            (scratch / _SCRIPT).chmod(0o755)

    place(generated_folder(around, wanted), fill, waiting=lambda: None)


def _host_script(around: Surroundings, pulumi: Path) -> Path:
    """The program runner: beside a CLI, else out of the Go module that it is published in."""
    for folder in (pulumi.parent, pulumi.resolve().parent, pulumi_built(around) / "bin"):
        if (folder / _SCRIPT).is_file():
            return folder / _SCRIPT
    go = around.which("go")
    if go is None or around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            f"The offline language host needs {_SCRIPT}, which lies neither beside the Pulumi CLI nor can be fetched.",
            remedy="Install Pulumi with its Python language host, or Go 1.25 or newer, and run the set-up again.",
        )
    module = f"github.com/pulumi/pulumi/sdk/v3@v{pins.PULUMI_BUILT}"
    subprocess.run([go, "mod", "download", module], check=True, timeout=300, capture_output=True)  # noqa: S603 - go
    cache = subprocess.run(  # noqa: S603 - the person's own Go
        [go, "env", "GOMODCACHE"], check=True, timeout=30, capture_output=True, text=True
    )
    return Path(cache.stdout.strip()) / module / "python" / "cmd" / _SCRIPT


def write_launcher(around: Surroundings) -> None:
    """`pulumi` beside the interpreter, so that an activated environment has the CLI with its plugins (`launching`).

    A `pulumi` that somebody else put there is left alone.
    """
    launcher = around.interpreter.parent / "pulumi"
    foreign = launcher.exists() and not is_launcher(launcher)
    if foreign or not os.access(launcher.parent, os.W_OK):
        return
    python = shlex.quote(str(around.interpreter))
    text = f'#!/bin/sh\n{LAUNCHER_MARK}\nexec {python} -I -m toolchain.launching "$@"\n'
    scratch = launcher.with_name(f".pulumi-{os.getpid()}")
    scratch.write_text(text)
    scratch.chmod(0o755)
    scratch.rename(launcher)


def _report(progress: Progress, choices: tuple[PluginChoice, ...]) -> None:
    there = [f"{choice.name} ({choice.origin})" for choice in choices if choice.path and executable(choice.path)]
    progress.done(", ".join(there))
    missing = [choice.file for choice in choices if choice.path is None and choice.required]
    if missing:
        raise NeedsAttentionError(
            f"No {', '.join(missing)} was found or made.",
            remedy="Install this project into the interpreter's environment (`make setup`) and run the set-up again.",
        )


TASKS: Final = (Task(name="plugins", act=ensure, after=("pulumi",)),)
