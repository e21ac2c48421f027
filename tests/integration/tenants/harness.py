"""A platform's data directory with real accounts, supervisor and processes; only OpenClaw is a small program."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psutil
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import ClawstackError
from clawstack.naming import account_name
from clawstack.plugin_server.values import Secret, to_python, to_struct
from clawstack.untrusted_tree import remove, walk
from tenants.paths import CellPaths, SupervisorPaths
from tenants.process import accounts, supervision, supervisord, wall
from tenants.process.limits import leave_control_groups
from tenants.process.plan import ProcessPlan, build_plan
from tenants.process.trees import TreeOwner, end_all
from tenants.process_provider.servicer import ClawstackProvider
from tenants.spec import CellSpec
from tests import waiting
from tests.nesting import nest
from tests.unit.tenants.builders import make_spec
from tests.unit.tenants.calls import Aborted, Context
from toolchain.locate import locate

VERSION = "2026.1.1"
PLANTED = ("csp_planted-proxy-token-0001", "csc_planted-channel-token-0002", "csg_planted-gateway-token-0003")


def until(condition: Callable[[], Any], *, seconds: float = 60.0, what: str = "the condition") -> Any:
    """The first true answer of `condition`."""
    return waiting.until(condition, what, seconds=seconds)


def set_traps(paths: CellPaths, outside: Path) -> None:
    """What OpenClaw cannot back up, and what a careless walk hangs in or is led out by, as the cell would put it there."""
    state, owner = paths.state, paths.state.stat()
    (state / "state").mkdir()
    nest(state, 1000, "nested")  # with so many OpenClaw's own backup never ends
    for pipe in (state / "state" / "openclaw.sqlite", state / "pipe"):
        os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(state / "s"))
    remove(paths.workspace)
    paths.workspace.symlink_to(outside)
    (state / "shut").mkdir(mode=0)
    (state / os.fsdecode(b"caf\xe9")).write_text("the customer's")
    (state / "terabyte").touch()
    os.truncate(state / "terabyte", 2**40)  # hours of OpenClaw's time
    for entry in walk(state):
        os.chown(entry.name, owner.st_uid, owner.st_gid, dir_fd=entry.folder, follow_symlinks=False)


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Place:
    """One data directory and everything that runs below it."""

    folder: Path
    slugs: list[str] = field(default_factory=list)

    @classmethod
    def make(cls) -> Place:
        folder = Path(tempfile.mkdtemp(prefix="claw-t-", dir="/tmp"))
        folder.chmod(0o755)
        (folder / "small").mkdir(mode=0o755)
        shutil.copy(Path(__file__).with_name("small_gateway.mjs"), folder / "small" / "openclaw.mjs")
        (folder / "small" / "openclaw.mjs").chmod(0o644)
        return cls(folder=folder)

    @property
    def supervisor(self) -> Path:
        return self.folder / "supervisor"

    def behave(self, **how: Any) -> None:
        """How small gateways behave that start from now on."""
        file = self.folder / "small" / "behaviour.json"
        file.write_text(json.dumps(how))
        file.chmod(0o644)

    def spec(self, **changes: Any) -> CellSpec:
        """A cell of this place, under a slug of its own."""
        slug = changes.pop("slug", None) or f"t-{secrets.token_hex(4)}"
        self.slugs.append(slug)
        base = {
            "slug": slug,
            "account": account_name(slug) if os.geteuid() == 0 else None,
            "port": free_port(),
            "directories": {
                "root": self.folder / "cells" / slug,
                "backups": self.folder / "backups",
                "supervisor": self.supervisor,
            },
            "runtime": {
                "node": locate().node,
                "openclaw": self.folder / "small" / "openclaw.mjs",
                "version": VERSION,
            },
        }
        return make_spec(**{**base, **changes})

    def clean(self) -> None:
        """Nothing of this place is left."""
        supervisord.stop(self.supervisor)
        for slug in self.slugs:
            leave_control_groups(slug)
            ids = accounts.find(account_name(slug))
            owner = TreeOwner(root=str(self.folder / "cells" / slug), uid=ids.uid if ids else None)
            if ids or os.geteuid() != 0:
                end_all(owner, grace=0.0)
        accounts.remove_below(self.folder / "cells")
        wall.take_down(self.folder / "cells")
        remove(self.folder)


@dataclass
class Cell:
    """One cell, driven through the plugin's servicer as the engine would do it."""

    spec: CellSpec
    provider: ClawstackProvider = field(default_factory=ClawstackProvider)
    states: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    context: Context = field(default_factory=Context)

    @property
    def plan(self) -> ProcessPlan:
        return build_plan(self.spec, today=date(2026, 11, 21))

    @property
    def paths(self) -> CellPaths:
        return CellPaths(root=self.spec.directories.root)

    @property
    def supervisor(self) -> SupervisorPaths:
        return SupervisorPaths(folder=self.spec.directories.supervisor)

    def up(self) -> None:
        """Create or update everything, in order."""
        uid = gid = -1
        if self.plan.account:
            made = self.converge(
                "Account", {"name": self.plan.account, "slug": self.plan.slug, "root": self.plan.root, "labels": {}}
            )
            uid, gid = made["uid"], made["gid"]
        self.converge("StateDirectory", self.directory_inputs(uid, gid))
        self.converge("Gateway", self.gateway_inputs(uid, gid))

    def destroy(self) -> None:
        """Delete everything, in order."""
        for kind in ("Gateway", "StateDirectory", "Account"):
            self.delete(kind)

    def delete(self, kind: str) -> None:
        """Delete one resource, if it is in the state."""
        if kind not in self.states:
            return
        resource_id, properties = self.states[kind]
        request = provider_pb2.DeleteRequest(id=resource_id, urn=_urn(kind), properties=to_struct(properties))
        self.provider.Delete(request, self.context)
        del self.states[kind]

    def converge(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Create, or update when it differs; the resource's outputs."""
        if kind not in self.states:
            return self.create(kind, inputs)
        resource_id, properties = self.states[kind]
        if self.changes(kind, inputs):
            request = provider_pb2.UpdateRequest(
                id=resource_id, urn=_urn(kind), olds=to_struct(properties), news=to_struct(inputs)
            )
            answer = self._keeping(kind, lambda: self.provider.Update(request, self.context))
            self.states[kind] = resource_id, to_python(answer.properties)
        return self.states[kind][1]

    def changes(self, kind: str, inputs: dict[str, Any]) -> list[str]:
        """What Diff says has changed."""
        resource_id, properties = self.states[kind]
        request = provider_pb2.DiffRequest(
            id=resource_id, urn=_urn(kind), olds=to_struct(properties), news=to_struct(inputs)
        )
        return list(self.provider.Diff(request, self.context).diffs)

    def create(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Check and create; keeps the resource when it was made but is not ready, as the engine does."""
        checked = self.provider.Check(provider_pb2.CheckRequest(urn=_urn(kind), news=to_struct(inputs)), self.context)
        assert not checked.failures, list(checked.failures)
        request = provider_pb2.CreateRequest(urn=_urn(kind), properties=checked.inputs)
        answer = self._keeping(kind, lambda: self.provider.Create(request, self.context))
        self.states[kind] = answer.id, to_python(answer.properties)
        return self.states[kind][1]

    def _keeping(self, kind: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Aborted:
            kept = self.context.kept_resource()
            self.states[kind] = kept.id, to_python(kept.properties)
            raise

    def directory_inputs(self, uid: int, gid: int) -> dict[str, Any]:
        plan = self.plan
        return {
            "slug": plan.slug, "root": plan.root, "account": plan.account or "", "uid": uid, "gid": gid,
            "backups": plan.backups, "backupKey": Secret(plan.backup_key), "skipBackup": plan.skip_backup,
            "supervisor": plan.supervisor, "node": plan.node, "openclaw": plan.openclaw, "version": plan.version,
            "labels": dict(plan.labels),
        }  # fmt: skip

    def gateway_inputs(self, uid: int | None = None, gid: int | None = None) -> dict[str, Any]:
        plan = self.plan
        account = self.states.get("Account", ("", {"uid": -1, "gid": -1}))[1]
        return {
            "slug": plan.slug, "root": plan.root, "uid": account["uid"] if uid is None else uid,
            "gid": account["gid"] if gid is None else gid, "supervisor": plan.supervisor, "node": plan.node,
            "openclaw": plan.openclaw, "version": plan.version, "bindHost": "127.0.0.1", "port": plan.port,
            "reaches": list(plan.reaches),
            "config": plan.config, "workspace": Secret(dict(plan.workspace)), "environment": dict(plan.environment),
            "secretEnvironment": Secret(dict(plan.secret_environment)), "desired": plan.desired,
            "restartNonce": plan.restart_nonce, "labels": dict(plan.labels),
            "limits": {
                "memoryMb": plan.limits.memory_mb, "cpu": plan.limits.cpu, "diskMb": plan.limits.disk_mb,
                "maxProcesses": plan.limits.max_processes, "maxOpenFiles": plan.limits.max_open_files,
            },
        }  # fmt: skip

    def status(self) -> supervision.GatewayStatus:
        return supervision.status(self.spec.directories.supervisor, self.spec.slug)

    def running_pid(self) -> int:
        """The gateway's pid, once it is ready."""
        return int(until(lambda: (s := self.status()).state == "running" and s.pid, what="a running gateway"))

    def processes(self) -> list[psutil.Process]:
        """Every process of the cell."""
        ids = accounts.find(self.spec.account) if self.spec.account else None
        if self.spec.account and ids is None:
            return []
        from tenants.process.trees import processes_of

        return processes_of(TreeOwner(root=str(self.spec.directories.root), uid=ids.uid if ids else None))

    def starts(self) -> list[int]:
        """Pids of every start of the small gateway so far."""
        file = self.paths.state / "starts.log"
        return [int(line) for line in file.read_text().split()] if file.exists() else []


def _urn(kind: str) -> str:
    return f"urn:pulumi:cell::clawstack-cells::clawstack:tenants:ProcessCell$clawstack:process:{kind}::x"


def in_threads(*calls: Callable[[], object]) -> None:
    """Run all at once; raises the first error."""
    errors: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except (ClawstackError, Aborted, AssertionError, OSError) as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
