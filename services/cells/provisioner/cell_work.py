"""The work of one operation on a cell: assemble it, run its program, let the engine do the rest in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError, TemporaryError
from clawstack.tools import Tools
from clawstack.vocabulary import Desired, EventKind, Observed
from services.business.tenants import repository as tenants
from services.cells.context import CellPlatform
from services.cells.engine.command import Ownership
from services.cells.engine.control import OperationStoppedError, RunControl, StopReason
from services.cells.engine.engine import Engine
from services.cells.engine.narration import NarratedStep
from services.cells.engine.run import RunOutcome, StackPlace, Undo
from services.cells.provisioner import cells
from services.cells.provisioner.assembly import AssembledCell, CellAssembler
from services.cells.provisioner.bookkeeping import Built
from services.cells.provisioner.borders import FindArchive, MakeProgram, Program
from services.cells.provisioner.live_work import LiveWork
from services.cells.provisioner.recorder import EventRecorder
from services.cells.workers import leases
from services.cells.workers.lease_keeper import LeaseKeeper
from services.cells.workers.leases import LeaseLostError
from services.tables.tenants import Tenant
from tenants.backups.archive import Archive
from tenants.spec import CellSpec
from tenants.substrates.registry import SUBSTRATES

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """What one operation works with."""

    keeper: LeaseKeeper
    control: RunControl
    recorder: EventRecorder
    attempt: int
    """Above 1 something ended short before."""

    def ownership(self) -> Ownership:
        """The same in the engine's words."""
        return Ownership(control=self.control, on_process=self.keeper.note_process)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ready:
    place: StackPlace
    program: Program
    spec: CellSpec | None
    """None where it cannot be built any more; then `program` raises why."""


class CellWork:
    """Does it; what it means for the rows is the runner's business."""

    def __init__(
        self,
        *,
        platform: CellPlatform,
        engine: Engine,
        assembler: CellAssembler,
        make_program: MakeProgram,
        find_tools: Callable[[], Tools],
        find_archive: FindArchive,
        executor: Executor,
    ) -> None:
        """`executor`: gives each operation a thread; `find_tools` blocks and raises NeedsAttentionError."""
        self._platform = platform
        self._engine = engine
        self._assembler = assembler
        self._make_program = make_program
        self._find_tools = find_tools
        self._find_archive = find_archive
        self._executor = executor

    async def build(self, shift: Shift) -> Built:
        """Bring the stack to what the rows say; also compares with reality where the cell was seen broken.

        A tenant that is to be filled from a backup is built suspended first, filled, then started.
        """
        tenant, cell = await self._assembled(shift)
        live = self._live(shift, cell.spec.substrate)
        if tenant.restore_from is not None:
            await self._fill(shift, cell, await self._find_archive(tenant.restore_from))
        await live.prepare(cell.spec)
        broken = tenant.observed_state in {Observed.BROKEN, Observed.UNKNOWN}
        try:
            outcome = await self._up(
                shift, cell.place, self._make_program(cell.spec), substrate=cell.spec.substrate, refresh=broken
            )
        except TemporaryError as error:
            elsewhere = await live.elsewhere(cell.spec, error)
            if elsewhere is error:
                raise
            raise elsewhere from error
        await live.settle(cell.spec)
        endpoint = outcome.outputs.get("endpoint")
        if endpoint and cell.spec.desired is Desired.RUNNING:
            shift.recorder.tell(NarratedStep(kind=EventKind.HEALTH, message=f"The assistant answers at {endpoint}."))
        return Built(outcome=outcome, spec=cell.spec, objects=await live.fingerprints(cell.spec.slug))

    async def back_up(self, shift: Shift) -> None:
        """A verified backup of the cell as it is."""
        _, cell = await self._assembled(shift)
        await self._live(shift, cell.spec.substrate).back_up(cell.spec)

    async def leave(self, shift: Shift) -> None:
        """Take the cell away from the substrate on which it was last seen; its state is in the newest backup then."""
        tools = await asyncio.to_thread(self._find_tools)
        async with self._platform.database.transaction() as session:
            tenant = await self._tenant(session, shift)
            old = str(tenant.observed["substrate"])
            cell = await self._assembler.assemble(session, tenant, tools, substrate=old)
        live = self._live(shift, cell.spec.substrate)
        spec = cell.spec.model_copy(update={"desired": Desired.SUSPENDED})
        await live.release(spec)
        await self._destroy(
            shift, _Ready(place=cell.place, program=self._make_program(spec), spec=spec), spec.substrate
        )
        await live.confirm_gone(spec.slug)

    async def destroy(self, shift: Shift) -> RunOutcome:
        """Destroy the stack and erase what Pulumi leaves of it."""
        tools = await asyncio.to_thread(self._find_tools)
        async with self._platform.database.transaction() as session:
            tenant = await self._tenant(session, shift)
            ready = await self._prepare_end(session, tenant, tools)
        substrate = tenant.runs_on
        await self._release(shift, tenant, ready, substrate)
        if _saves_itself(substrate) and _has_late_word(tenant):
            await self._pass_on_late_word(shift, ready, substrate)
        outcome = await self._destroy(shift, ready, substrate)
        await self._live(shift, substrate).confirm_gone(tenant.slug)
        await asyncio.to_thread(cells.remove_traces, self._platform.settings, tenant.slug)
        return outcome

    def _undo(self, substrate: str, slug: str) -> Undo:
        """The driver's, for the engine's thread; call it in the loop that the driver belongs to."""
        loop, driver = asyncio.get_running_loop(), self._platform.drivers.of(substrate)
        return lambda deployment: asyncio.run_coroutine_threadsafe(driver.undo(slug, deployment), loop).result()

    async def _destroy(self, shift: Shift, ready: _Ready, substrate: str) -> RunOutcome:
        work = partial(
            self._engine.destroy,
            _looked_at(ready.place, shift),
            ready.program,
            ownership=shift.ownership(),
            on_step=shift.recorder.tell,
            undo=self._undo(substrate, ready.place.stack),
        )
        try:
            return await self._in_thread(shift.control, work)
        except TemporaryError as error:  # a provider only says that it waited long enough
            obstacle = await self._live(shift, substrate).obstacle(ready.place.stack)
            if obstacle is None:
                raise
            raise obstacle from error

    async def _release(self, shift: Shift, tenant: Tenant, ready: _Ready, substrate: str) -> None:
        if ready.spec is not None:
            await self._live(shift, ready.spec.substrate).release(ready.spec)
        elif not (_saves_itself(substrate) or tenant.skip_backup):
            # A stack whose deletion takes no backup stays: nothing is destroyed unsaved because of a lost plan.
            ready.program()

    async def _fill(self, shift: Shift, cell: AssembledCell, archive: Archive) -> None:
        spec = cell.spec.model_copy(update={"desired": Desired.SUSPENDED})
        await self._up(shift, cell.place, self._make_program(spec), substrate=spec.substrate, refresh=False)
        await self._live(shift, spec.substrate).restore(spec, archive)

    async def _assembled(self, shift: Shift) -> tuple[Tenant, AssembledCell]:
        tools = await asyncio.to_thread(self._find_tools)
        async with self._platform.database.transaction() as session:
            tenant = await self._tenant(session, shift)
            return tenant, await self._assembler.assemble(session, tenant, tools)

    def _live(self, shift: Shift, substrate: str) -> LiveWork:
        driver = self._platform.drivers.of(substrate)
        return LiveWork(driver=driver, control=shift.control, recorder=shift.recorder)

    async def _tenant(self, session: AsyncSession, shift: Shift) -> Tenant:
        await leases.confirm(session, shift.keeper.grant)
        tenant = await tenants.locked(session, shift.keeper.grant.tenant_id)
        if tenant is None:
            raise LeaseLostError(shift.keeper.grant.tenant_id, shift.keeper.grant.fence)
        return tenant

    async def _prepare_end(self, session: AsyncSession, tenant: Tenant, tools: Tools) -> _Ready:
        """A cell that cannot be built any more (its plan or bundle is gone) must still be destroyed."""
        cell = await cells.ensure_cell(session, tenant, self._platform.settings)
        place = await self._assembler.place_of(session, tenant, cell)
        try:
            async with session.begin_nested():
                where = tenant.runs_on
                spec = (await self._assembler.assemble(session, tenant, tools, substrate=where)).spec
            return _Ready(place=place, program=self._make_program(spec), spec=spec)
        except ClawstackError as error:
            return _Ready(place=place, program=_raising(error), spec=None)

    async def _pass_on_late_word(self, shift: Shift, ready: _Ready, substrate: str) -> None:
        # Such cells are backed up by their own resources' deletion, which follows what the state says: an operator's
        # "no backup needed" has to reach the state first.
        # A cell that is too broken for that is destroyed all the same: its folder may have heard it before the failure.
        try:
            await self._up(shift, ready.place, ready.program, substrate=substrate, refresh=False)
        except (LeaseLostError, OperationStoppedError):
            raise
        except ClawstackError as error:
            message = f"That no backup is needed could not be passed on completely: {error.message}"
            shift.recorder.tell(NarratedStep(kind=EventKind.DIAGNOSTIC, message=message, data={"severity": "warning"}))

    async def _up(
        self, shift: Shift, place: StackPlace, program: Program, *, substrate: str, refresh: bool
    ) -> RunOutcome:
        work = partial(
            self._engine.up,
            _looked_at(place, shift),
            program,
            ownership=shift.ownership(),
            on_step=shift.recorder.tell,
            refresh=refresh,
            undo=self._undo(substrate, place.stack),
        )
        return await self._in_thread(shift.control, work)

    async def _in_thread(self, control: RunControl, work: Callable[[], T]) -> T:
        """Run blocking work; when this task is cancelled, stop it and wait until all of its processes are dead."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            control.stop(StopReason.SHUTDOWN)
            while not future.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            future.exception()  # looked at, so that nothing complains of an error that nobody read
            raise


def _looked_at(place: StackPlace, shift: Shift) -> StackPlace:
    return replace(place, suspect=shift.attempt > 1)


def _saves_itself(substrate: str) -> bool:
    return substrate in SUBSTRATES and SUBSTRATES[substrate].saves_itself


def _has_late_word(tenant: Tenant) -> bool:
    return tenant.skip_backup and not tenant.observed.get("skip_backup") and tenant.observed_generation > 0


def _raising(error: ClawstackError) -> Program:
    def program() -> None:
        raise error

    return program
