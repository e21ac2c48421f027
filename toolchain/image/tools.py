"""The layer of Pulumi: the CLI as the toolchain got it, its plugins, and the starter of the policy pack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from clawstack.errors import NeedsAttentionError
from clawstack.tools import Tools
from toolchain.cluster.archive import Entry, tree
from toolchain.ground import pins
from toolchain.ground.finding import Found, find_pulumi, pulumi_built, pulumi_release
from toolchain.ground.paths import slot
from toolchain.ground.plugin_choice import WANTED, PluginChoice, Wanted, choose_plugins, generated_folder, starter
from toolchain.ground.policy_packs import policy_pack
from toolchain.ground.surroundings import Surroundings
from toolchain.image import recipe
from toolchain.image.go_modules import modules_of
from toolchain.image.layer import Component, Layer, cached, write_entries
from toolchain.tasks.progress import Progress

_ON_PATH: Final = "/usr/local/bin"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What of this machine goes into the image."""

    pulumi: Found
    plugins: tuple[PluginChoice, ...]

    @property
    def offline(self) -> tuple[str, ...]:
        """Names of plugins that take an official one's place: a production profile does not use them."""
        return tuple(choice.name for choice in self.plugins if choice.origin == "offline")


def engine(around: Surroundings) -> Engine:
    """CLI and plugins as they were found. Raises NeedsAttentionError where one is missing."""
    pulumi = find_pulumi(around)
    chosen = choose_plugins(around, pulumi.path if pulumi else None)
    missing = [choice.file for choice in chosen if choice.path is None]
    if pulumi is None or missing:
        raise NeedsAttentionError(
            f"The image needs {', '.join(missing) or 'the Pulumi CLI'}, which this machine has not.",
            remedy=f"Run `{around.interpreter} -m toolchain setup pulumi plugins`.",
        )
    return Engine(pulumi=pulumi, plugins=chosen)


def layer(around: Surroundings, progress: Progress) -> Layer:
    """The tools, from the cache where all of them are the same."""
    found = engine(around)

    def fill(scratch: Path) -> None:
        with TemporaryDirectory(prefix="clawstack-tools-") as place:
            write_entries(scratch, _entries(around, found, Path(place)), _components(found))

    folder = slot(around.cache, "image", f"tools/{found.pulumi.version}-{_digest(found)}", _MADE_BY)
    return cached(folder, fill, lambda: progress.note("another set-up packs the tools; waiting"))


_MADE_BY: Final = (
    Path(__file__),
    recipe.HERE / "recipe.py",
    pins.HERE / "ground" / "plugin_choice.py",
    pins.HERE / "ground" / "finding.py",
    *pins.PULUMI_PINS,
)


def _digest(found: Engine) -> str:
    """Of the programs themselves: one that a person installed may be another next time."""
    whole = hashlib.sha256()
    for file in sorted({found.pulumi.path.resolve(), *(choice.path for choice in found.plugins if choice.path)}):
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _entries(around: Surroundings, found: Engine, scratch: Path) -> Iterator[Entry]:
    inside = replace(around, cache=Path(recipe.CACHE), interpreter=Path(f"{recipe.PLACE}/.venv/bin/python"))
    yield from _cli(around, found.pulumi)
    for wanted, choice in zip(WANTED, found.plugins, strict=True):
        yield from _plugin(inside, wanted, choice)
    tools = Tools(
        pulumi=found.pulumi.path, pulumi_version=found.pulumi.version, plugin_path=(), node=Path(), openclaw=Path(),
        openclaw_version="",
    )  # fmt: skip
    pack = policy_pack(tools, Path(recipe.PLACE, "policies"), replace(inside, cache=scratch))
    if pack.is_relative_to(scratch):
        yield from tree(pack.parent, f"{recipe.CACHE}/policy-packs/{pack.parent.name}")


def _cli(around: Surroundings, pulumi: Found) -> Iterator[Entry]:
    """Where the toolchain in the image looks: in its cache, or on PATH one that a person installed."""
    own = next(
        (folder for folder in (pulumi_release(around), pulumi_built(around)) if pulumi.path.is_relative_to(folder)),
        None,
    )
    if own is not None:
        yield from tree(own / "bin", f"{recipe.CACHE}/{own.relative_to(around.cache)}/bin")
        return
    real = pulumi.path.resolve()
    for file in sorted((real, *real.parent.glob("pulumi-language-python*"))):
        yield Entry(path=f"{_ON_PATH}/{file.name}", source=file)


def _plugin(inside: Surroundings, wanted: Wanted, choice: PluginChoice) -> Iterator[Entry]:
    if choice.path is None:
        return
    if choice.origin == "official":
        yield Entry(path=f"{_ON_PATH}/{wanted.file}", source=choice.path.resolve())
        return
    folder = generated_folder(inside, wanted)
    yield Entry(path=str(folder / wanted.file), content=starter(inside, wanted).encode())
    for entry in tree(choice.path.parent, str(folder)):
        if not entry.path.endswith(f"/{wanted.file}"):
            yield entry


def _components(found: Engine) -> Iterator[Component]:
    yield Component(kind="generic", name="pulumi", version=found.pulumi.version, where=f"?origin={found.pulumi.origin}")
    programs = {found.pulumi.path.resolve()}
    for choice in found.plugins:
        yield Component(
            kind="generic", name=choice.file, version=choice.version or "unknown", where=f"?origin={choice.origin}"
        )
        if choice.origin == "official" and choice.path is not None:
            programs.add(choice.path.resolve())
    modules = {module for program in sorted(programs) for module in modules_of(program)}
    yield from (Component(kind="golang", name=name, version=version) for name, version in sorted(modules))
