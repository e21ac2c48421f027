"""Makes the whole image: three layers that the cache has, the code, and what is said about all of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from toolchain.ground.oci import Settings
from toolchain.ground.surroundings import Surroundings
from toolchain.image import code, debian, layout, packages, recipe, sbom, tools
from toolchain.image.layer import Layer
from toolchain.image.layout import Image
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, Use
from toolchain.tasks.progress import Progress

DEFAULT_NAME: Final = "clawstack.local/clawstack"
_GIT_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Revision:
    """From which state of the repository."""

    commit: str
    """Empty where git does not tell."""
    moment: int
    """Of the commit, in seconds; SOURCE_DATE_EPOCH goes before it (https://reproducible-builds.org/specs/source-date-epoch/)."""
    changed: tuple[str, ...]
    """Files that are not as in the commit, as git names them."""

    @property
    def created(self) -> str:
        """RFC 3339."""
        return datetime.fromtimestamp(self.moment, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def tag(self) -> str:
        """Short and of a commit; with a mark where files differ from it."""
        return (self.commit[:12] or "unknown") + ("-changed" if self.changed else "")


def revision() -> Revision:
    """Of the checkout that this is."""
    moment = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct").strip() or str(recipe.EPOCH)
    changed = tuple(line[3:] for line in _git("status", "--porcelain", "--untracked-files=normal").splitlines())
    return Revision(commit=_git("rev-parse", "HEAD").strip(), moment=int(moment), changed=changed)


def build(around: Surroundings, board: Board, folder: Path, name: str = "") -> Image:
    """Write the image into `folder`, an OCI layout. `name`: with a tag; by default a local one with the commit's."""
    progress = Progress(board=board, name="Image")
    state = revision()
    name = name or f"{DEFAULT_NAME}:{state.tag}"
    lower = (debian.layer(around, progress), packages.layer(around, progress), tools.layer(around, progress))
    listed = sbom.document(code.own(), [each for layer in lower for each in layer.components], created=state.created)
    above = folder / "code"
    above.mkdir(parents=True, exist_ok=True)
    upper = code.layer(around, progress, above, listed)
    image = layout.write(folder / "layout", name, (*lower, upper), _settings(around, state))
    _say(progress, around, image, lower[0])
    return image


def _settings(around: Surroundings, state: Revision) -> Settings:
    labels = {
        "org.opencontainers.image.title": "clawstack",
        "org.opencontainers.image.version": code.own().version,
        "org.opencontainers.image.revision": state.tag if state.changed else state.commit,
        "org.opencontainers.image.created": state.created,
        "dev.clawstack.offline-plugins": ",".join(tools.engine(around).offline),
    }
    return Settings(
        command=("clawstack",),
        environ=recipe.ENVIRONMENT,
        user=f"{recipe.USER}:{recipe.USER}",
        folder=recipe.PLACE,
        machine=around.machine,
        labels=labels,
        created=state.created,
    )


def _say(progress: Progress, around: Surroundings, image: Image, base: Layer) -> None:
    differs = debian.deviations(base, around.machine)
    if differs:
        progress.note(f"Debian serves other versions than the lock names: {', '.join(differs[:5])}")
    progress.done(f"{image.reference}, {image.size / 1e6:.0f} MB to pull")


def ensure_layers(around: Surroundings, board: Board) -> None:
    """The layers that change seldom, into the cache: with them a build takes seconds."""
    progress = Progress(board=board, name="Image layers")
    made: Sequence[Layer] = (debian.layer(around, progress), packages.layer(around, progress))
    progress.done(f"Debian {recipe.SUITE} and Python packages, {sum(layer.size for layer in made) / 1e6:.0f} MB")


def _git(*arguments: str) -> str:
    """What git says of this checkout; nothing where it is none."""
    try:
        answer = subprocess.run(  # noqa: S603 - the person's own git
            ["git", "-C", str(code.ROOT), *arguments],  # noqa: S607 - where PATH has it
            capture_output=True, text=True, check=False, timeout=_GIT_SECONDS,
        )  # fmt: skip
    except OSError:
        return ""
    return answer.stdout if answer.returncode == 0 else ""


TASKS: Final = (Task(name="image layers", act=ensure_layers, use=Use.APT),)
