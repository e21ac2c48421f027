"""Reads bundles from the shelf: `shelf/<name>/<version>/bundle.yaml` and the persona files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import yaml

from clawstack.errors import InvalidInputError
from tenants.bundles.model import Bundle

#: The workspace files that OpenClaw reads into every prompt (`gateway/config-agents/workspace-and-bootstrap.md`).
PERSONA_FILES: Final = ("AGENTS.md", "SOUL.md", "USER.md", "IDENTITY.md")
_SETTINGS: Final = "bundle.yaml"


def list_bundles() -> tuple[Bundle, ...]:
    """The newest version of every bundle, by name."""
    return tuple(load_bundle(name) for name in sorted(_versions()))


def load_bundle(name: str, version: str | None = None) -> Bundle:
    """The bundle; the newest version when none is given. Raises InvalidInputError with the allowed set."""
    versions = _versions()
    if name not in versions:
        raise InvalidInputError(
            f"There is no bundle {name[:40]!r}.", code="unknown_bundle", remedy=f"Choose one of: {', '.join(versions)}."
        )
    if version is not None and version not in versions[name]:
        raise InvalidInputError(
            f"The bundle {name} has no version {version[:20]!r}.",
            code="unknown_bundle",
            remedy=f"Choose one of: {', '.join(versions[name])}.",
        )
    return _read(name, version or versions[name][-1])


def _shelf() -> Traversable:
    return files("tenants.bundles").joinpath("shelf")


def _folders(place: Traversable) -> Iterator[str]:
    return (entry.name for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(("_", ".")))


@lru_cache(maxsize=1)
def _versions() -> dict[str, list[str]]:
    """Versions of every bundle, oldest first. The shelf is part of the package: it cannot change under a process."""
    return {name: sorted(_folders(_shelf().joinpath(name)), key=_order) for name in sorted(_folders(_shelf()))}


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@lru_cache(maxsize=64)
def _read(name: str, version: str) -> Bundle:
    folder = _shelf().joinpath(name, version)
    settings = yaml.safe_load(folder.joinpath(_SETTINGS).read_text(encoding="utf-8"))
    templates = {persona: folder.joinpath(persona).read_text(encoding="utf-8") for persona in PERSONA_FILES}
    return Bundle.model_validate({**settings, "name": name, "version": version, "files": templates})
