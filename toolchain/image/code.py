"""The uppermost layer: the product's own code, its two commands, and the list of all that is in the image."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from toolchain.cluster.archive import Entry, tree
from toolchain.ground.pins import HERE as TOOLCHAIN
from toolchain.ground.surroundings import Surroundings
from toolchain.image import compiling, recipe
from toolchain.image.layer import Component, Layer, write_entries
from toolchain.tasks.progress import Progress

ROOT: Final = TOOLCHAIN.parent
_JUNK: Final = shutil.ignore_patterns("__pycache__", ".*", "node_modules", "*.pyc")


def layer(around: Surroundings, progress: Progress, folder: Path, sbom: bytes) -> Layer:
    """Written into `folder`, new every time: it costs seconds."""
    with TemporaryDirectory(prefix="clawstack-code-") as place:
        for name in recipe.CODE:
            shutil.copytree(ROOT / name, Path(place, name), ignore=_JUNK)
        compiling.compile_tree(around, progress, Path(place), recipe.PLACE)
        return write_entries(folder, _entries(Path(place), sbom))


def own() -> Component:
    """The product itself."""
    project = _project()
    return Component(kind="pypi", name=project["name"], version=project["version"])


def _entries(place: Path, sbom: bytes) -> Iterator[Entry]:
    yield from tree(place, recipe.PLACE)
    yield Entry(path=recipe.SBOM, content=sbom, mode=0o644)
    yield Entry(path=recipe.HOME)  # where the pod's volume is mounted
    roots = f"{recipe.PLACE}/platform\n{recipe.PLACE}\n"
    yield Entry(path=f"{recipe.SITE}/clawstack.pth", content=roots.encode(), mode=0o644)
    project = _project()
    for name, target in project["scripts"].items():
        yield Entry(path=f"{recipe.PLACE}/.venv/bin/{name}", content=_script(target).encode())
    yield from _described(project)


def _script(target: str) -> str:
    module, _, function = target.partition(":")
    python = f"{recipe.PLACE}/.venv/bin/python"
    return f"#!{python}\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"


def _described(project: dict[str, Any]) -> Iterator[Entry]:
    """What an installer would note (https://packaging.python.org/en/latest/specifications/recording-installed-packages/)."""
    folder = f"{recipe.SITE}/{project['name']}-{project['version']}.dist-info"
    scripts = "\n".join(f"{name} = {target}" for name, target in project["scripts"].items())
    notes = {
        "METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n",
        "INSTALLER": "toolchain.image\n",
        "entry_points.txt": f"[console_scripts]\n{scripts}\n",
    }
    for name, content in notes.items():
        yield Entry(path=f"{folder}/{name}", content=content.encode(), mode=0o644)


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
