"""What survives a restart, in one JSON file: projects with everything in them, running actions too.

The file is written about once a second and at the end. Orders for trouble are forgotten: a restart heals.
"""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.hcloud.config import Access
from sandbox.hcloud.project import Project
from sandbox.hcloud.world import World

Json = dict[str, Any]


class Memory:
    """Loads a world once, then saves it whenever something changed."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._saved = -1
        self._task: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Fill the world from the file, if there is one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._state.exists():
            return
        kept = json.loads(self._state.read_text(encoding="utf-8"))
        self._world.ids.last = kept["ids"]
        self._world.owned_ips = set(kept["owned_ips"])
        for access in kept["accesses"]:
            self._world.admit(Access(**access))
        for name, plain in kept["projects"].items():
            if (project := self._world.projects.get(name)) is not None:
                _restore(project, plain)

    def start(self) -> None:
        """Begin to save."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Save the last state."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.save()

    async def _run(self) -> None:
        while True:
            if self._world.changes != self._saved:
                self._saved = self._world.changes
                self.save()
            await asyncio.sleep(1.0)

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"

    def save(self) -> None:
        """Write the file, whole or not at all."""
        world = self._world
        kept = {
            "ids": world.ids.last,
            "owned_ips": sorted(world.owned_ips),
            "accesses": [asdict(access) for access in world.accesses.values()],
            "projects": {name: _kept(project) for name, project in world.projects.items()},
        }
        beside = self._folder / ".state.json.new"
        beside.write_text(json.dumps(kept), encoding="utf-8")
        beside.replace(self._state)


def _kept(project: Project) -> Json:
    return {"quotas": project.quotas, "kinds": project.kinds, "actions": project.actions}


def _restore(project: Project, kept: Json) -> None:
    project.quotas = kept["quotas"]
    for kind, rows in kept["kinds"].items():
        project.kinds[kind] = {int(number): row for number, row in rows.items()}  # JSON has only texts for keys
    project.actions = {int(number): row for number, row in kept["actions"].items()}
    project.running = {number for number, row in project.actions.items() if row["status"] == "running"}
