"""What a driver may ask of the conversation with machines. The driver has no database; this is its door to it."""

from __future__ import annotations

from collections.abc import Sequence

from clawstack.errors import NotFoundError
from services.cells.machines import repository
from services.cells.machines.schemas import MachinePhase, MachineState, OrderKind, OrderState
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.machines import ServerBoot, ServerOrder


class MachineChannel:
    """Orders to machines and what they report, each call in one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def machines(self, slug: str) -> list[MachineState]:
        """The cell's last machines, newest first; none when it never had one."""
        async with self._database.transaction() as session:
            cell = await repository.cell(session, slug)
            boots = await repository.boots(session, slug)
        return [_machine(boot, wanted=cell.bundle_version if cell else "") for boot in boots]

    async def order(self, key: str, kind: OrderKind) -> int:
        """Tell a machine to do something; one that was told already is not told twice. The order's number."""
        async with self._database.transaction() as session:
            if kind is OrderKind.RETIRE:
                await repository.set_boot(session, key, retired_at=utcnow())
            return await repository.add_order(session, key, kind.value)

    async def answer(self, number: int) -> OrderState:
        """How an order stands; raises NotFoundError when the cell was forgotten meanwhile."""
        async with self._database.transaction() as session:
            order = await repository.order(session, number)
        if order is None:
            raise NotFoundError(f"There is no order {number} any more.")
        return _order(order)

    async def last(self, key: str, kind: OrderKind) -> OrderState | None:
        """How the newest order of a kind stands, None when the machine never got one."""
        async with self._database.transaction() as session:
            order = await repository.last_order(session, key, kind.value)
        return None if order is None else _order(order)

    async def close(self, slug: str) -> None:
        """Shut out every machine of the cell, at once and for good; the next one needs a new boot."""
        async with self._database.transaction() as session:
            await repository.close_boots(session, slug, now=utcnow())

    async def note_snapshot(self, slug: str, image: str | None) -> None:
        """What the next machine starts from; None: the installation's image."""
        async with self._database.transaction() as session:
            await repository.set_cell(session, slug, snapshot=image)

    async def note_site(self, slug: str, *, location: str, server_type: str | None) -> None:
        """Where the next machine is tried; `server_type`: None for the plan's first."""
        async with self._database.transaction() as session:
            await repository.set_cell(session, slug, location=location, server_type=server_type)

    async def history(self, slug: str) -> repository.History:
        """Whether there ever was a machine."""
        async with self._database.transaction() as session:
            return await repository.history(session, slug)

    async def was_backed_up(self, slug: str) -> bool:
        """Whether an archive of the cell ever arrived."""
        async with self._database.transaction() as session:
            cell = await repository.cell(session, slug)
        return cell is not None and cell.backed_up_at is not None

    async def log(self, slug: str, *, after: int = 0) -> tuple[list[str], int]:
        """Lines that were uploaded after a place, oldest first, and the place to go on from."""
        async with self._database.transaction() as session:
            pieces = await repository.logs(session, slug, after=after)
        lines = "".join(piece.text for piece in pieces).splitlines()
        return lines, max([after, *(piece.id for piece in pieces)])

    async def forget(self, slug: str) -> None:
        """Remove every row about the cell's machines."""
        async with self._database.transaction() as session:
            await repository.forget(session, slug)


def serving(machines: Sequence[MachineState]) -> MachineState | None:
    """The machine that holds the cell's volume, None when there is none."""
    return next((machine for machine in machines if machine.used_at is not None and machine.closed_at is None), None)


def _machine(boot: ServerBoot, *, wanted: str) -> MachineState:
    return MachineState(
        key=boot.key,
        phase=MachinePhase(boot.phase),
        code=boot.code,
        reason=boot.reason,
        created_at=boot.created_at,
        expires_at=boot.expires_at,
        used_at=boot.used_at,
        refusals=boot.refusals,
        seen_at=boot.seen_at,
        retired_at=boot.retired_at,
        closed_at=boot.closed_at,
        applied_version=boot.applied_version,
        tried_version=boot.tried_version,
        wanted_version=wanted,
        restarts=boot.restarts,
        memory_bytes=boot.memory_bytes,
        started_at=boot.started_at,
    )


def _order(order: ServerOrder) -> OrderState:
    return OrderState(
        finished=order.finished_at is not None,
        ok=bool(order.ok),
        code=order.code,
        reason=order.reason,
        archive=order.archive,
    )
