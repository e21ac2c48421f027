"""Wiring of the provisioner."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import procrastinate
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.settings import Profile, Settings
from services.business.tenants.watching import EventWatch
from services.cells.context import CellPlatform
from services.cells.engine.engine import Engine
from services.cells.engine.scratch import scratch_root, sweep
from services.cells.provisioner import cells, tasks
from services.cells.provisioner.assembly import CellAssembler
from services.cells.provisioner.borders import MakeProgram, Neighbours, Program
from services.cells.provisioner.cell_work import CellWork
from services.cells.provisioner.machine import Machine
from services.cells.provisioner.pack_config import pack_config
from services.cells.provisioner.preview import preview
from services.cells.provisioner.reconcile import Reconciler
from services.cells.provisioner.runner import OperationRunner
from services.cells.substrates.installation import installation_of
from services.cells.workers.metrics import OperationMetrics
from services.kit.http.streams import StreamSlots
from services.kit.parts import Part
from services.tables.tenants import Tenant
from services.web.api import operations, tenants
from tenants.backups.archive import Archive
from tenants.spec import CellSpec
from tenants.substrates.registry import builder_of


def create_part(platform: CellPlatform) -> Part:
    """The provisioner as the factory takes it."""

    @cache  # a worker that lost its database declares its jobs anew; threads and slots stay the same ones
    def reconciler() -> Reconciler:
        return create_reconciler(
            platform=platform,
            neighbours=create_neighbours(platform),
            make_program=program_maker(platform.settings),
            machine=machine_of(platform),
        )

    def register_tasks(app: procrastinate.App) -> None:
        tasks.register(app, reconciler=reconciler, database=platform.database)

    return Part(
        name="provisioner",
        routers=(tenants.router, operations.router),
        provides=(platform.drivers, EventWatch(platform.database), StreamSlots()),
        register_tasks=register_tasks,
    )


def machine_of(platform: CellPlatform) -> Machine:
    """This machine's tools, as strict as the profile asks."""
    return Machine(production=platform.settings.profile is Profile.PRODUCTION)


def create_reconciler(
    *,
    platform: CellPlatform,
    neighbours: Neighbours,
    make_program: MakeProgram,
    machine: Machine,
    worker: str | None = None,
    metrics: OperationMetrics | None = None,
) -> Reconciler:
    """The worker's half: engine, threads and everything around them. Call it inside the process that works."""
    sweep(scratch_root(cells.pulumi_home(platform.settings)))  # what a worker that was killed here left
    concurrency = platform.settings.worker_concurrency
    work = CellWork(
        platform=platform,
        engine=create_engine(platform, machine),
        assembler=CellAssembler(platform=platform, neighbours=neighbours),
        make_program=make_program,
        find_tools=machine.tools,
        find_archive=neighbours.find_archive,
        executor=ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="engine"),
    )
    runner = OperationRunner(
        platform=platform, work=work, neighbours=neighbours, metrics=metrics or OperationMetrics(platform.metrics)
    )
    return Reconciler(platform=platform, runner=runner, worker=worker or worker_name(), concurrency=concurrency)


def create_engine(platform: CellPlatform, machine: Machine) -> Engine:
    """The engine on this machine's tools."""
    return Engine(
        tools=machine.tools,
        pulumi_home=cells.pulumi_home(platform.settings),
        policy_pack=platform.settings.policy_pack,
        parent=os.environ,
        prepare_pack=machine.prepare_pack,
        pack_config=partial(pack_config, platform.settings),
    )


def create_neighbours(platform: CellPlatform) -> Neighbours:
    """The doors of the other nouns."""
    # Late: a process that only wants `desired` must not load the proxy and the router.
    from services.business.backups.repository import latest_location
    from services.business.backups.service import find_archive as find
    from services.business.backups.service import register_backups as register
    from services.business.billing.repository import forget_answers
    from services.traffic.llm_proxy.tokens import register_proxy_token, revoke_proxy_tokens
    from services.traffic.telegram.links import unbind_all
    from services.traffic.telegram.tokens import register_channel_token, revoke_channel_tokens

    async def register_backups(session: AsyncSession, tenant: Tenant, folder: Path, *, reason: str) -> int:
        return await register(session, tenant.id, slug=tenant.slug, folder=folder, reason=reason)

    async def find_archive(location: str) -> Archive:
        return await find(platform, location)

    async def revoke_proxy(session: AsyncSession, tenant_id: uuid.UUID) -> None:
        await revoke_proxy_tokens(session, tenant_id)

    async def unbind_chats(session: AsyncSession, tenant_id: uuid.UUID) -> None:
        await unbind_all(session, tenant_id)

    return Neighbours(
        register_proxy_token=register_proxy_token,
        register_channel_token=register_channel_token,
        revoke_proxy_tokens=revoke_proxy,
        revoke_channel_tokens=revoke_channel_tokens,
        unbind_chats=unbind_chats,
        register_backups=register_backups,
        find_archive=find_archive,
        latest_backup=latest_location,
        forget_answers=forget_answers,
    )


async def preview_tenant(
    platform: CellPlatform,
    tenant_id: uuid.UUID,
    *,
    machine: Machine | None = None,
    neighbours: Neighbours | None = None,
    program_of: MakeProgram | None = None,
) -> list[dict[str, Any]]:
    """What an update of this tenant would change, on this machine's tools; see `services.cells.provisioner.preview`."""
    tools = await asyncio.to_thread((machine or machine_of(platform)).tools)
    return await preview(
        platform,
        tenant_id,
        tools=tools,
        assembler=CellAssembler(platform=platform, neighbours=neighbours or create_neighbours(platform)),
        engine=create_engine(platform, Machine(tools)),
        program_of=program_of or program_maker(platform.settings),
    )


def program_maker(settings: Settings) -> MakeProgram:
    """Makes the Pulumi program of any cell, wherever these settings let it run."""
    builder = cache(partial(builder_of, installation=installation_of(settings)))

    def make_program(spec: CellSpec) -> Program:
        from tenants.program import cell_program  # late: it loads Pulumi, which the API does not need

        return cell_program(spec, builder(spec.substrate))

    return make_program


def worker_name() -> str:
    """A name that no other process has, nor this one after a restart."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
