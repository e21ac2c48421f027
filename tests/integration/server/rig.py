"""The platform's side for tests of machines: tenants, equipped specs, and the real application on a real port."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import override

from clawstack.tokens import Token, TokenKind, parse
from services.business.backups.opening import open_backup
from services.cells.context import CellPlatform
from services.cells.machines import repository
from services.cells.machines.channel import MachineChannel
from services.cells.machines.equipping import equip
from services.cells.machines.schemas import MachineState, OrderState
from services.kit.database.base import utcnow
from services.kit.parts import Part
from services.run.factory import create_app
from services.run.parts.machines import create_part
from services.tables.tenants import Tenant
from tenants.server.settings import ServerSettings
from tenants.server.user_data import user_data
from tenants.spec import CellSpec
from tests.integration.server.rehearsal import Disk, RehearsedMachine, node_archive
from tests.unit.server.builders import cell, make_settings
from tests.waiting import eventually, patient
from toolchain.ground import pins

T = TypeVar("T")

PATIENCE = 40.0
LOCK_SHA256 = hashlib.sha256(pins.OPENCLAW_PINS[1].read_bytes()).hexdigest()


class _Server(uvicorn.Server):
    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # the test run keeps its own handlers
        yield


@asynccontextmanager
async def serving(platform: CellPlatform, node: Path) -> AsyncIterator[tuple[str, bytes]]:
    """The application with the machines' part, and Node's "release" beside it; its root and the release."""
    archive = node_archive(node)

    async def download(_: Any) -> Response:
        return Response(archive)

    release = Starlette(routes=[Route("/{name}", download)])
    app = create_app(platform, [create_part(platform), Part(name="release", mounts={"/release": release})])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=3))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", archive
        server.should_exit = True
        await task


@dataclass(kw_only=True)
class Rig:
    """One platform with machines that speak with it."""

    platform: CellPlatform
    root: str
    archive: bytes
    folder: Path
    machines: list[RehearsedMachine] = field(default_factory=list)
    tenants: dict[str, uuid.UUID] = field(default_factory=dict)

    @property
    def channel(self) -> MachineChannel:
        return MachineChannel(self.platform.database)

    def settings(self, **changes: Any) -> ServerSettings:
        node = {"version": "26.10.0", "sha256": {"x64": hashlib.sha256(self.archive).hexdigest()}}
        defaults: dict[str, Any] = {
            "platform_url": self.root,
            "node": {**node, "url": f"{self.root}/release/node-{{version}}-{{arch}}.tar.xz"},
            "openclaw": {"version": "2026.9.6", "lock_sha256": LOCK_SHA256},
            "poll_seconds": 0.2,
            "ready_seconds": 30,
            "refusal_pauses": [0.1, 0.2, 0.3],
        }
        return make_settings(**{**defaults, **changes})

    def spec(self, slug: str = "emma-parent-x7k2mq", **changes: Any) -> CellSpec:
        folder = self.platform.settings.data_dir
        key = base64.b64encode(hashlib.sha256(slug.encode()).digest()).decode()
        defaults: dict[str, Any] = {
            "slug": slug,
            "boot": None,
            "backup_key": key,
            "endpoints": {"llm_base_url": f"{self.root}/llm/v1", "telegram_api_root": f"{self.root}/telegram"},
            "directories": {
                "root": folder / "cells" / slug,
                "backups": folder / "backups",
                "supervisor": folder / "supervisor",
            },
        }
        return cell(**{**defaults, **changes})

    async def equipped(
        self, spec: CellSpec | None = None, *, settings: ServerSettings | None = None, now: datetime | None = None
    ) -> CellSpec:
        """As the assembler does it, in a transaction of its own."""
        spec = spec or self.spec()
        tenant_id = await self.tenant(spec)
        async with self.platform.database.transaction() as session:
            return await equip(
                session,
                spec,
                vault=self.platform.vault,
                tenant_id=tenant_id,
                settings=settings or self.settings(),
                now=now or utcnow(),
            )

    async def tenant(self, spec: CellSpec) -> uuid.UUID:
        if spec.slug not in self.tenants:
            async with self.platform.database.transaction() as session:
                tenant = Tenant(
                    slug=spec.slug,
                    customer_id=None,
                    plan=spec.plan,
                    bundle=spec.bundle.name,
                    bundle_version=spec.bundle.version,
                    substrate="server",
                    answers=dict(spec.answers),
                    desired_state="running",
                )
                session.add(tenant)
                await session.flush()
                await self.platform.vault.put(session, tenant.id, "backup_key", spec.backup_key.get_secret_value())
                self.tenants[spec.slug] = tenant.id
        return self.tenants[spec.slug]

    def user_data(self, spec: CellSpec, settings: ServerSettings | None = None) -> str:
        return user_data(spec, settings or self.settings(), token=token_of(spec).reveal())

    def disk(self, name: str = "disk") -> Disk:
        folder = self.folder / name
        folder.mkdir()
        (folder / "device").touch()
        return Disk(folder=folder)

    def machine(self, disk: Disk) -> RehearsedMachine:
        machine = RehearsedMachine(root=self.folder / f"machine-{len(self.machines)}", disk=disk)
        machine.root.mkdir()
        self.machines.append(machine)
        return machine

    async def reported(self, spec: CellSpec, what: Callable[[MachineState], bool]) -> MachineState:
        """The machine of `spec` once it reports so."""
        key = token_of(spec).key
        last: MachineState | None = None
        try:
            async with asyncio.timeout(patient(PATIENCE)):
                while True:
                    found = await self.channel.machines(spec.slug)
                    last = next((machine for machine in found if machine.key == key), None)
                    if last is not None and what(last):
                        return last
                    await asyncio.sleep(0.05)
        except TimeoutError:
            logs = "\n".join(machine.agent_log() for machine in self.machines)
            raise AssertionError(f"the machine reported {last}\n{logs}") from None

    async def done(self, number: int) -> OrderState:
        """How an order ended."""

        async def finished() -> OrderState | None:
            state = await self.channel.answer(number)
            return state if state.finished else None

        state: OrderState = await self.awaited(finished)
        return state

    async def opened(self, spec: CellSpec, archive: str) -> Path:
        """The backup at this name, unpacked by the platform's own command."""
        location = str(spec.directories.backups / spec.slug / archive)
        return await open_backup(self.platform, location, self.folder / "opened")

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something outside."""

        async def answer() -> bool:
            return await asyncio.to_thread(true)

        await self.awaited(answer)

    async def awaited(self, ask: Callable[[], Awaitable[T]]) -> Any:
        """What `ask` gives once it gives something."""
        return await eventually(ask, f"{ask}", seconds=PATIENCE, pause=0.05)

    async def silence(self, spec: CellSpec, *, seconds: float) -> None:
        """The machine has not called for so long."""
        long_ago = utcnow() - timedelta(seconds=seconds)
        async with self.platform.database.transaction() as session:
            await repository.set_boot(session, token_of(spec).key, seen_at=long_ago, used_at=long_ago)

    async def expire(self, spec: CellSpec) -> None:
        """The boot token's time is over."""
        async with self.platform.database.transaction() as session:
            await repository.set_boot(session, token_of(spec).key, expires_at=utcnow() - timedelta(seconds=1))


def token_of(spec: CellSpec) -> Token:
    assert spec.boot is not None
    token = parse(spec.boot.token.get_secret_value(), kind=TokenKind.BOOT)
    assert token is not None
    return token


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end(machines: list[RehearsedMachine]) -> None:
    """No process of a machine outlives its test."""
    for machine in machines:
        if (machine.root / "stub").exists():
            machine.power_off()
