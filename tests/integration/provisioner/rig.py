"""What the tests of the provisioner share: a probe folder, tools with the probe plugin, readers of what happened."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NotFoundError
from clawstack.tokens import Token
from clawstack.tools import Tools
from services.business.tenants import desired
from services.business.tenants.desired import NewTenant
from services.cells.context import CellPlatform
from services.cells.provisioner.borders import Neighbours
from services.cells.provisioner.machine import Machine
from services.cells.provisioner.reconcile import Reconciler
from services.cells.workers.metrics import OperationMetrics
from services.run.parts.provisioner import create_reconciler
from services.tables.tenants import Operation, OperationEvent, Tenant
from tenants.backups.archive import Archive
from tests.integration.provisioner.programs import probe_program
from tests.waiting import eventually
from toolchain.locate import locate

_REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass
class Seen:
    """What the neighbours were told."""

    calls: list[tuple[str, uuid.UUID]] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)

    def neighbours(self) -> Neighbours:
        async def token(_: AsyncSession, tenant_id: uuid.UUID, token: Token) -> None:
            self.tokens.append(token)

        def note(name: str) -> Callable[[AsyncSession, uuid.UUID], Awaitable[None]]:
            async def call(_: AsyncSession, tenant_id: uuid.UUID) -> None:
                self.calls.append((name, tenant_id))

            return call

        async def backups(_: AsyncSession, tenant: Tenant, folder: Path, *, reason: str) -> int:
            self.calls.append(("register_backups", tenant.id))
            return 0

        async def find_archive(location: str) -> Archive:
            raise NotFoundError(f"There is no backup at {location}.")

        async def latest_backup(_: AsyncSession, tenant_id: uuid.UUID) -> str | None:
            return None

        return Neighbours(
            register_proxy_token=token,
            register_channel_token=token,
            revoke_proxy_tokens=note("revoke_proxy_tokens"),
            revoke_channel_tokens=note("revoke_channel_tokens"),
            unbind_chats=note("unbind_chats"),
            register_backups=backups,
            find_archive=find_archive,
            latest_backup=latest_backup,
        )


class Probe:
    """The folder through which a test steers the probe plugin and reads what it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        plugin = self.bin / "pulumi-resource-probe"
        plugin.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(_REPOSITORY)!r})\n"
            "from tests.integration.provisioner.probe_plugin import main\nmain()\n"
        )
        plugin.chmod(0o755)

    def cli(self, real: Path) -> Path:
        """A stand-in for the path of the CLI that notes every start with its arguments and becomes the CLI."""
        path = self.bin / "pulumi"
        path.write_text(f'#!/bin/sh\necho "$*" >> {self.folder}/starts\nexec {real} "$@"\n')
        path.chmod(0o755)
        return path

    def starts(self) -> list[str]:
        """Command lines of the CLI so far."""
        path = self.folder / "starts"
        return path.read_text().splitlines() if path.exists() else []

    def hold(self, op: str, slug: str) -> Path:
        path = self.folder / f"hold-{op}-{slug}"
        path.touch()
        return path

    def fail(self, op: str, slug: str, text: str) -> Path:
        path = self.folder / f"fail-{op}-{slug}"
        path.write_text(text)
        return path

    def journal(self, slug: str | None = None) -> list[dict[str, Any]]:
        path = self.folder / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        marks = [json.loads(line) for line in lines]
        return [mark for mark in marks if slug is None or mark["slug"] == slug]

    def begun(self, op: str, slug: str) -> int:
        return sum(mark["op"] == op and mark["phase"] == "begin" for mark in self.journal(slug))

    def cell(self, slug: str) -> dict[str, Any] | None:
        path = self.folder / "cells" / slug
        return json.loads(path.read_text()) if path.exists() else None

    def tools(self) -> Tools:
        found = locate()
        return Tools(
            pulumi=self.cli(found.pulumi),
            pulumi_version=found.pulumi_version,
            plugin_path=(self.bin, *found.plugin_path),
            node=found.node,
            openclaw=found.openclaw,
            openclaw_version=found.openclaw_version,
        )


@dataclass(kw_only=True)
class Rig:
    """One platform with its provisioner, worked by hand."""

    platform: CellPlatform
    probe: Probe
    seen: Seen

    def reconciler(self, worker: str = "worker-1") -> Reconciler:
        return create_reconciler(
            platform=self.platform,
            neighbours=self.seen.neighbours(),
            make_program=probe_program(self.probe.folder),
            machine=Machine(self.probe.tools()),
            worker=worker,
            metrics=OperationMetrics(),
        )

    async def create(self, **changes: Any) -> Tenant:
        async with self.platform.database.transaction() as session:
            return await desired.create_tenant(session, new_tenant(**changes))

    async def want(self, tenant: Tenant, **changes: Any) -> bool:
        async with self.platform.database.transaction() as session:
            return await desired.set_desired(session, tenant.id, **changes)

    async def request(self, tenant: Tenant) -> None:
        async with self.platform.database.transaction() as session:
            await desired.request_reconcile(session, tenant.id)

    async def fetch_jobs(self) -> None:
        """Take all waiting jobs out of the queue, as a worker does before it runs them."""
        async with self.platform.database.transaction() as session:
            await session.execute(text("DELETE FROM procrastinate_jobs WHERE status = 'todo'"))

    async def idle(self) -> bool:
        """No job waits or runs, no operation runs."""
        async with self.platform.database.transaction() as session:
            jobs = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
            running = "SELECT count(*) FROM operations WHERE status = 'running'"
            counts = [(await session.execute(text(query))).scalar_one() for query in (jobs, running)]
            return counts == [0, 0]

    async def tenant(self, tenant: Tenant) -> Tenant:
        async with self.platform.database.transaction() as session:
            found = await session.get(Tenant, tenant.id)
            assert found is not None
            return found

    async def count(self, table: type[Any]) -> int:
        async with self.platform.database.transaction() as session:
            return (await session.execute(select(func.count()).select_from(table))).scalar_one()

    async def operations(self, tenant: Tenant) -> list[Operation]:
        query = select(Operation).where(Operation.tenant_id == tenant.id).order_by(Operation.created_at)
        async with self.platform.database.transaction() as session:
            return list(await session.scalars(query))

    async def events(self, operation: Operation) -> list[OperationEvent]:
        query = select(OperationEvent).where(OperationEvent.operation_id == operation.id)
        async with self.platform.database.transaction() as session:
            return list(await session.scalars(query.order_by(OperationEvent.sequence)))


def new_tenant(**changes: Any) -> NewTenant:
    values: dict[str, Any] = {
        "customer_id": None,
        "plan": "starter",
        "bundle": "general",
        "bundle_version": "1.0",
        "answers": {},
        "name_hint": "Emma Parent",
    }
    return NewTenant(**{**values, **changes})


async def until(condition: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """The first truthy answer of `condition` (a function or a coroutine function)."""
    return await eventually(condition, f"{condition}", seconds=seconds)


def engine_processes(folder: Path) -> list[psutil.Process]:
    """Living processes of Pulumi or its plugins that belong to this data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            alive = process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if alive and environment.get("PULUMI_HOME", "").startswith(str(folder)):
            found.append(process)
    return found
