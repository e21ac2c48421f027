"""`clawstack:process:StateDirectory`: the folders of a cell. Deleting takes a verified backup first, then erases."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from clawstack.locks import locked
from clawstack.plugin_server.values import reveal
from tenants.backups import archive
from tenants.paths import CellPaths, SupervisorPaths
from tenants.process import directories, supervision
from tenants.process.accounts import Ids
from tenants.process.files import read_json, write_json
from tenants.process.launch import Launch, Limits
from tenants.process_provider.handler import Handler, InputProblem, Properties, ReadResource, Resource, Work

LOCK_SECONDS: Final = 600.0
"""A killed engine's plugin may still finish its call; the next one waits for it."""
_STOP_SECONDS: Final = 30.0


class StateDirectoryHandler(Handler):
    """The id is the cell's root folder."""

    inputs: frozenset[str] = frozenset({
        "slug", "root", "account", "uid", "gid", "backups", "backupKey", "skipBackup", "supervisor",
        "node", "openclaw", "version", "labels",
    })  # fmt: skip
    secret_inputs: frozenset[str] = frozenset({"backupKey"})
    replacing: frozenset[str] = frozenset({"slug", "root"})
    computed: frozenset[str] = frozenset({"path"})

    @override
    def check(self, inputs: Mapping[str, Any]) -> list[InputProblem]:
        """Paths must be absolute and belong to the slug; root must not be the owner."""
        problems = [
            InputProblem(property=name, reason=f"{str(inputs[name])[:80]!r} is not an absolute path")
            for name in ("root", "backups", "supervisor", "node", "openclaw")
            if name in inputs and not Path(str(inputs[name])).is_absolute()
        ]
        if {"slug", "root"} <= set(inputs) and Path(str(inputs["root"])).name != inputs["slug"]:
            problems.append(InputProblem(property="root", reason=f"it must end in the slug {inputs['slug']!r}"))
        return problems + root_problems(inputs)

    @override
    def drift(self, resource_id: str, inputs: Mapping[str, Any]) -> frozenset[str]:
        """Gone: an update makes it again (empty; a restore is an operation of its own)."""
        return frozenset() if directories.exists(CellPaths(root=Path(resource_id))) else frozenset({"root"})

    @override
    def create(self, inputs: Properties, work: Work) -> Resource:
        """Make or adopt the folders."""
        plain = reveal(inputs)
        paths = CellPaths(root=Path(plain["root"]))
        with operation_lock(plain):
            directories.ensure(paths, plain["slug"], ids_of(plain))
            paths.erased_marker.unlink(missing_ok=True)
        return Resource(id=plain["root"], properties={**inputs, "path": str(paths.state)})

    @override
    def read(self, resource_id: str, inputs: Properties, properties: Properties) -> ReadResource | None:
        """Whether it is there."""
        if not directories.exists(CellPaths(root=Path(resource_id))):
            return None
        return ReadResource(id=resource_id, inputs=inputs, properties=properties)

    @override
    def update(self, resource: Resource, new: Properties, work: Work) -> Resource:
        """New keys and labels live in the state; a new account takes the files over."""
        made = self.create(new, work)
        ids, before = ids_of(reveal(new)), ids_of(reveal(resource.properties))
        if ids is not None and ids != before:
            directories.hand_over(CellPaths(root=Path(resource.id)), ids, before=before)
        return made

    @override
    def delete(self, resource: Resource, work: Work) -> None:
        """End what still runs, back up, erase. Raises, and erases nothing, when the backup fails."""
        plain = reveal(resource.properties)
        paths = CellPaths(root=Path(resource.id))
        with operation_lock(plain):
            supervision.stop(Path(plain["supervisor"]), _anything_of(plain))
            if paths.root.exists() and not paths.erased_marker.exists():
                _back_up(plain, paths)
            directories.erase(paths)


def operation_lock(plain: Mapping[str, Any]) -> Any:
    """One change of a cell at a time on this machine, whoever makes it."""
    lock = SupervisorPaths(folder=Path(plain["supervisor"])).operation_lock(plain["slug"])
    return locked(lock, seconds=LOCK_SECONDS, what=f"Cell {plain['slug']}")


def ids_of(plain: Mapping[str, Any]) -> Ids | None:
    """The cell's account; None where it runs as the platform's own user."""
    uid, gid = int(plain["uid"]), int(plain["gid"])
    return Ids(uid=uid, gid=gid) if uid >= 0 else None


def root_problems(inputs: Mapping[str, Any]) -> list[InputProblem]:
    """A gateway never runs as root: it reads what strangers write."""
    if "uid" not in inputs or int(inputs["uid"]) > 0 or (int(inputs["uid"]) < 0 and os.geteuid() != 0):
        return []
    return [InputProblem(property="uid", reason="a platform that runs as root gives every cell an account of its own")]


def _back_up(plain: Mapping[str, Any], paths: CellPaths) -> None:
    if plain["skipBackup"]:
        _say(f"{plain['slug']}: erased without a backup, as told")
    elif not directories.was_used(paths):
        _say(f"{plain['slug']}: no gateway ever wrote here; there is nothing to back up")
    else:
        manifest = archive.create(source_of(plain, paths), Path(plain["backups"]))
        write_json(paths.erased_marker, {"archive": manifest.archive})


def source_of(plain: Mapping[str, Any], paths: CellPaths) -> archive.ArchiveSource:
    """The cell as the backup sees it."""
    return archive.ArchiveSource(
        slug=plain["slug"],
        paths=paths,
        ids=ids_of(plain),
        node=Path(plain["node"]),
        openclaw=Path(plain["openclaw"]),
        version=plain["version"],
        key=plain["backupKey"],
    )


def _anything_of(plain: Mapping[str, Any]) -> Launch:
    """Enough of a launch to stop whatever runs for the cell."""
    ids = ids_of(plain)
    stored = read_json(SupervisorPaths(folder=Path(plain["supervisor"])).launch(plain["slug"]))
    return Launch(
        slug=plain["slug"],
        root=plain["root"],
        argv=(),
        environment={},
        directory="/",
        port=0,
        uid=ids.uid if ids else None,
        gid=ids.gid if ids else None,
        limits=Limits(memory_mb=0, cpu=0, disk_mb=0, max_processes=0, max_open_files=0),
        stop_seconds=float(stored.get("stop_seconds", _STOP_SECONDS)),
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
