"""Gives a policy pack the form in which it is cheapest for the engine."""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
from pathlib import Path
from typing import Final

from clawstack.tools import Tools
from toolchain.ground import pins
from toolchain.ground.surroundings import Surroundings

_STARTS_EXECUTABLES: Final = (3, 259, 0)
"""CLI for which starting an executable pack was read in the source and tried; older ones may want a folder."""
_NOT_OURS: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def policy_pack(tools: Tools, folder: Path, around: Surroundings | None = None) -> Path:
    """What to give to `--policy-pack` for the Python pack in `folder`.

    An executable where the CLI can start one (saves the language host: about 0.1 s of CPU per update), else the
    folder itself. The executable is written beside `folder`'s other forms in the cache on first use; where the cache
    cannot be written (a pod's read-only root) and nobody did it before, it is the folder as well.
    """
    version = pins.parse_version(tools.pulumi_version)
    if version is None or version < _STARTS_EXECUTABLES:
        return folder
    around = around or Surroundings.read()
    folder = folder.absolute()
    python = shlex.quote(str(around.interpreter))
    text = f'#!/bin/sh\nexec {python} -P -u -m toolchain.plugins.pack_runner {shlex.quote(str(folder))} "$@"\n'
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    place = around.cache / "policy-packs" / f"{folder.name}-{digest}"
    executable = place / folder.name
    try:
        if not executable.exists():
            _write(place, executable, text, folder / "PulumiPolicy.yaml")
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        return folder
    return executable


def _write(place: Path, executable: Path, text: str, description: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    # The engine reads the pack's version from the description beside the executable.
    link = place / description.name
    if not link.is_symlink():
        link.symlink_to(description)
    scratch = place / f".{executable.name}-{os.getpid()}"
    scratch.write_text(text)
    scratch.chmod(0o755)
    scratch.rename(executable)
