"""What survives a restart, in one JSON file: projects with everything in them, running actions too.

The file is written about once a second and at the end. Orders for trouble are forgotten: a restart heals.
"""

from dataclasses import asdict

from typing_extensions import override

from sandbox.frame.memory import StateFile
from sandbox.frame.values import Json
from sandbox.hcloud.model.config import Access
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.model.world import World


class Memory(StateFile[World]):
    """Keeps a world."""

    @override
    def kept(self, *, clean: bool) -> Json:
        world = self.world
        return {
            "ids": world.ids.last,
            "owned_ips": sorted(world.owned_ips),
            "accesses": [asdict(access) for access in world.accesses.values()],
            "projects": {name: _kept(project) for name, project in world.projects.items()},
        }

    @override
    def restore(self, kept: Json) -> None:
        self.world.ids.last = kept["ids"]
        self.world.owned_ips = set(kept["owned_ips"])
        for access in kept["accesses"]:
            self.world.admit(Access(**access))
        for name, plain in kept["projects"].items():
            if (project := self.world.projects.get(name)) is not None:
                _restore(project, plain)


def _kept(project: Project) -> Json:
    return {"quotas": project.quotas, "kinds": project.kinds, "actions": project.actions}


def _restore(project: Project, kept: Json) -> None:
    project.quotas = kept["quotas"]
    for kind, rows in kept["kinds"].items():
        project.kinds[kind] = {int(number): row for number, row in rows.items()}  # JSON has only texts for keys
    project.actions = {int(number): row for number, row in kept["actions"].items()}
    project.running = {number for number, row in project.actions.items() if row["status"] == "running"}
