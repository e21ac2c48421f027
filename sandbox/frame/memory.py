"""State that survives a restart, in one JSON file, written about once a second and at the end."""

import asyncio
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from sandbox.frame.background import Loop
from sandbox.frame.files import write_whole
from sandbox.frame.values import Json


class World(Protocol):
    """A stand-in's whole state."""

    @property
    def changes(self) -> int:
        """A number that rises with every change."""


WorldT = TypeVar("WorldT", bound=World)


class StateFile(ABC, Generic[WorldT]):
    """Loads a world when it starts, then saves it whenever something changed."""

    def __init__(self, world: WorldT, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self._saved = -1
        self._loop = Loop(self._run)

    @abstractmethod
    def kept(self, *, clean: bool) -> Json:
        """Return what is saved; `clean` when the process ends as it should."""

    @abstractmethod
    def restore(self, kept: Json) -> None:
        """Take over what was saved."""

    def start(self) -> None:
        """Load the file, if there is one, and begin to save."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self.restore(json.loads(self._path.read_text(encoding="utf-8")))
        self._loop.start()

    async def stop(self) -> None:
        """Save the last state."""
        await self._loop.stop()
        self.save(clean=True)

    def save(self, *, clean: bool) -> None:
        """Write the file, whole or not at all."""
        write_whole(self._path, json.dumps(self.kept(clean=clean)))

    async def _run(self) -> None:
        while True:
            if (now := self.world.changes) != self._saved:
                self._saved = now
                self.save(clean=False)
            await asyncio.sleep(1.0)

    @property
    def _path(self) -> Path:
        return self.folder / "state.json"
