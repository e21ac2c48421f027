"""The layer of Python packages: exactly those of the lock file, each file with its SHA-256, by pip and as wheels."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster.archive import Entry, tree
from toolchain.ground.oci import architecture
from toolchain.ground.paths import slot
from toolchain.ground.pins import HERE as TOOLCHAIN
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.image import compiling, recipe
from toolchain.image.layer import Component, Layer, cached, write_entries
from toolchain.tasks.progress import Progress

REQUIREMENTS: Final = TOOLCHAIN.parent / "requirements.txt"
_SECONDS: Final = 900.0
_PLATFORMS: Final = {
    machine: [f"manylinux_2_{minor}_{machine}" for minor in (36, 34, 31, 28, 26, 24, 17, 12, 5)]
    + [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    for machine in ("x86_64", "aarch64")
}
"""Debian 12 has glibc 2.36."""
_HEAD: Final = "# Written by `python -m toolchain image lock` from requirements.txt; every file that pip may take has its SHA-256.\n"


def layer(around: Surroundings, progress: Progress) -> Layer:
    """The packages, from the cache where the lock is the same."""
    made_from = (recipe.LOCK, Path(recipe.__file__), Path(__file__), Path(compiling.__file__))
    folder = slot(around.cache, "image/packages", architecture(around.machine), made_from)

    def fill(scratch: Path) -> None:
        with TemporaryDirectory(prefix="clawstack-packages-") as place:
            site = Path(place, "site")
            _install(around, progress, site)
            compiling.compile_tree(around, progress, site, recipe.SITE)
            write_entries(scratch, _entries(site), installed(site))

    return cached(folder, fill, lambda: progress.note("another set-up installs the packages; waiting"))


def _install(around: Surroundings, progress: Progress, site: Path) -> None:
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            "The Python packages of the image are missing, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to get them.",
            remedy="Set it to `registries` or `all`.",
        )
    options = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--disable-pip-version-check")
    command: list[str | Path] = [
        around.interpreter, "-m", "pip", "install", "--quiet", *options, "--target", site, "-r", recipe.LOCK,
    ]  # fmt: skip
    log = around.cache / "logs" / "image-packages.log"
    progress.note("installing the Python packages of the image; about a minute, once per lock file")
    progress.run(command, log=log, doing="installing Python packages", limit=_SECONDS)
    shutil.rmtree(site / "bin", ignore_errors=True)  # commands of libraries; the product's own two are with its code


def _entries(site: Path) -> Iterator[Entry]:
    yield Entry(path=f"{recipe.PLACE}/.venv/bin/python", link=recipe.PYTHON)
    for name in ("python3", "python3.11"):
        yield Entry(path=f"{recipe.PLACE}/.venv/bin/{name}", link="python")
    described = f"home = {Path(recipe.PYTHON).parent}\ninclude-system-site-packages = false\n"
    yield Entry(path=f"{recipe.PLACE}/.venv/pyvenv.cfg", content=described.encode(), mode=0o644)
    yield from tree(site, recipe.SITE)


def installed(site: Path) -> Iterator[Component]:
    """What pip's own records in that folder say."""
    for file in sorted(site.glob("*.dist-info/METADATA")):
        said = email.message_from_string(file.read_text(encoding="utf-8", errors="replace"))
        yield Component(
            kind="pypi", name=_plain(said["Name"]), version=said["Version"], licence=said["License-Expression"] or ""
        )


def _plain(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock(around: Surroundings, progress: Progress) -> None:
    """Write the lock file anew from requirements.txt, for both architectures."""
    hashes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for machine, platforms in _PLATFORMS.items():
        for package in _resolved(around, progress, machine, platforms):
            name, version = _plain(package["metadata"]["name"]), package["metadata"]["version"]
            hashes[name, version].add(package["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = [
        f"{name}=={version} " + " ".join(f"--hash=sha256:{digest}" for digest in sorted(digests))
        for (name, version), digests in sorted(hashes.items())
        if name not in recipe.NOT_INSTALLED
    ]
    recipe.LOCK.write_text(_HEAD + "\n".join(lines) + "\n")


def _resolved(around: Surroundings, progress: Progress, machine: str, platforms: list[str]) -> list[dict[str, Any]]:
    with TemporaryDirectory(prefix="clawstack-lock-") as place:
        wanted, report = Path(place, "requirements.txt"), Path(place, "report.json")
        wanted.write_text("\n".join(_wanted()))
        command: list[str | Path] = [
            around.interpreter, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary=:all:",
            "--quiet", "--disable-pip-version-check", "--python-version=3.11", "--implementation=cp", "--target", place,
            *(f"--platform={platform}" for platform in platforms), "--report", report, "-r", wanted,
        ]  # fmt: skip
        log = around.cache / "logs" / "image-lock.log"
        progress.run(command, log=log, doing=f"resolving for {machine}", environ=dict(os.environ), limit=_SECONDS)
        found: list[dict[str, Any]] = json.loads(report.read_text())["install"]
        return found


def _wanted() -> Iterator[str]:
    for line in REQUIREMENTS.read_text().splitlines():
        requirement = line.partition("#")[0].strip()
        name = _plain(re.split(r"[\[=<>]", requirement)[0])
        if requirement and not requirement.startswith("-") and name not in recipe.NOT_INSTALLED:
            yield requirement
