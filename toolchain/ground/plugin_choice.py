"""Decides, plugin by plugin, which executable the engine gets: the official one wherever it can be found."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from clawstack.tools import PluginKind
from toolchain.ground.finding import find_official_plugin
from toolchain.ground.surroundings import Surroundings, executable


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A plugin that this project uses."""

    kind: PluginKind
    name: str
    distribution: str
    """The Python package whose version the plugin should match."""
    stand_in: str = ""
    """Module of the offline plugin, empty where there is none."""
    required: bool = True
    project: bool = False
    """Comes with this project's own Python package."""

    @property
    def file(self) -> str:
        """Name of the executable that the engine looks for."""
        return f"pulumi-{self.kind}-{self.name}"

    @property
    def version(self) -> str:
        """Version of the Python package, which the engine compares with the plugin's."""
        return metadata.version(self.distribution)


WANTED: Final = (
    Wanted(kind="language", name="python", distribution="pulumi", stand_in="toolchain.plugins.python_host.main"),
    Wanted(
        kind="resource", name="random", distribution="pulumi-random", stand_in="toolchain.plugins.random_provider.main"
    ),
    Wanted(kind="resource", name="clawstack", distribution="clawstack", project=True),
    Wanted(
        kind="resource",
        name="kubernetes",
        distribution="pulumi-kubernetes",
        stand_in="toolchain.plugins.kubernetes_provider.main",
        required=False,
    ),
    Wanted(
        kind="resource",
        name="hcloud",
        distribution="pulumi-hcloud",
        stand_in="toolchain.plugins.hcloud_provider.main",
        required=False,
    ),
)


@dataclass(frozen=True, kw_only=True)
class PluginChoice:
    """What was decided for one plugin; `path` is None where there is none."""

    kind: PluginKind
    name: str
    file: str
    origin: Literal["official", "offline", "project"]
    version: str
    path: Path | None
    required: bool


def choose_plugins(around: Surroundings, pulumi: Path | None) -> tuple[PluginChoice, ...]:
    """The choice for every plugin of this project. `pulumi`: the CLI, which may have plugins beside it."""
    return tuple(_choose(around, wanted, pulumi) for wanted in WANTED)


def _choose(around: Surroundings, wanted: Wanted, pulumi: Path | None) -> PluginChoice:
    official = None if wanted.project else find_official_plugin(around, wanted.kind, wanted.name, pulumi)
    if official is not None:
        return _choice(wanted, "official", official.version, official.path)
    generated = generated_folder(around, wanted) / wanted.file
    path = generated if executable(generated) else None
    return _choice(wanted, "project" if wanted.project else "offline", wanted.version, path)


def _choice(
    wanted: Wanted, origin: Literal["official", "offline", "project"], version: str, path: Path | None
) -> PluginChoice:
    return PluginChoice(
        kind=wanted.kind,
        name=wanted.name,
        file=wanted.file,
        origin=origin,
        version=version,
        path=path,
        required=wanted.required,
    )


def plugin_path(around: Surroundings, choices: tuple[PluginChoice, ...]) -> tuple[Path, ...]:
    """Folders that must come before PATH so that the engine finds every plugin that was chosen."""
    # A plugin on PATH needs no help, and a folder such as /usr/local/bin would bring its neighbours along.
    folders = [c.path.parent for c in choices if c.path is not None and c.path.parent not in around.path]
    return tuple(dict.fromkeys(folders))


def generated_folder(around: Surroundings, wanted: Wanted) -> Path:
    """The folder with the generated starter of an offline or project plugin, for this very interpreter.

    One folder per plugin: a folder on PATH must not shadow anything else.
    """
    digest = hashlib.sha256(starter(around, wanted).encode()).hexdigest()[:12]
    return around.cache / "plugins" / f"{wanted.kind}-{wanted.name}-{digest}"


def starter(around: Surroundings, wanted: Wanted) -> str:
    """The script that the engine starts; `exec` keeps the process id, so that signals reach the plugin itself."""
    python = shlex.quote(str(around.interpreter))
    if wanted.project:
        script = shlex.quote(str(around.interpreter.parent / wanted.file))
        return f'#!/bin/sh\nexec {python} -I {script} "$@"\n'
    # The first argument is the folder of this script: a plugin may have files beside its starter.
    return f'#!/bin/sh\nexec {python} -I -m toolchain.plugins {wanted.stand_in} "${{0%/*}}" "$@"\n'
