"""What an update of a tenant would change, for the command line. Changes neither cell nor rows."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ConflictError, NotFoundError
from clawstack.tools import Tools
from clawstack.vocabulary import EventKind
from services.business.tenants import repository
from services.cells.context import CellPlatform
from services.cells.engine.command import Ownership
from services.cells.engine.control import RunControl, StopReason
from services.cells.engine.engine import Engine
from services.cells.engine.identity import ProcessIdentity
from services.cells.engine.narration import NarratedStep
from services.cells.provisioner.assembly import AssembledCell, CellAssembler
from services.cells.provisioner.borders import MakeProgram
from services.tables.tenants import Tenant


async def preview(
    platform: CellPlatform,
    tenant_id: uuid.UUID,
    *,
    tools: Tools,
    assembler: CellAssembler,
    engine: Engine,
    program_of: MakeProgram,
) -> list[dict[str, Any]]:
    """What would be done, one `{"action", "type", "name", "message"}` per resource; violations of policies are raised.

    Raises NotFoundError, ConflictError for a tenant that is deleted, and whatever `Engine.preview` raises.
    """
    cell = await _assembled(platform, assembler, tenant_id, tools)
    settings = platform.settings
    control = RunControl(
        budget=settings.operation_timeout.total_seconds(), grace=settings.operation_grace.total_seconds()
    )
    steps: list[NarratedStep] = []
    work = asyncio.to_thread(
        engine.preview,
        cell.place,
        program_of(cell.spec),
        ownership=Ownership(control=control, on_process=_unrecorded),
        on_step=steps.append,
    )
    try:
        await work
    except asyncio.CancelledError:
        control.stop(StopReason.SHUTDOWN)
        raise
    return [_shown(step) for step in steps if step.kind is EventKind.RESOURCE]


async def _assembled(
    platform: CellPlatform, assembler: CellAssembler, tenant_id: uuid.UUID, tools: Tools
) -> AssembledCell:
    """The cell as an update would assemble it, without keeping what had to be made up for it."""
    async with platform.database.transaction() as session:
        tenant = await _tenant(session, tenant_id)
        rehearsal = await session.begin_nested()
        cell = await assembler.assemble(session, tenant, tools)
        await rehearsal.rollback()
        return cell


async def _tenant(session: AsyncSession, tenant_id: uuid.UUID) -> Tenant:
    tenant = await repository.by_id(session, tenant_id)
    if tenant is None:
        raise NotFoundError(f"There is no tenant {tenant_id}.")
    if tenant.deleted_at is not None:
        raise ConflictError(f"Tenant {tenant.slug} is deleted; there is nothing to preview.", code="tenant_deleted")
    return tenant


def _unrecorded(_: ProcessIdentity) -> None:
    """A preview takes no lock and changes nothing: nobody needs to find its process again."""


def _shown(step: NarratedStep) -> dict[str, Any]:
    resource = str(step.data["resource"])
    return {
        "action": step.data["op"],
        "type": step.data["type"],
        "name": resource.rsplit("::", 1)[-1],
        "message": step.message,
    }
