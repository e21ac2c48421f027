"""The driver's border to the conversation with machines."""

from __future__ import annotations

from typing import Protocol

from services.cells.machines.schemas import Machine, OrderKind, OrderState


class Channel(Protocol):
    """Every call may be repeated; none waits for a machine."""

    async def machines(self, slug: str) -> list[Machine]:
        """The cell's last machines, newest first."""
        ...

    async def order(self, key: str, kind: OrderKind) -> int:
        """Tell a machine to do something; the order's number."""
        ...

    async def answer(self, number: int) -> OrderState:
        """How an order stands."""
        ...

    async def last(self, key: str, kind: OrderKind) -> OrderState | None:
        """How the newest order of a kind stands."""
        ...

    async def close(self, slug: str) -> None:
        """Shut out every machine of the cell."""
        ...

    async def note_snapshot(self, slug: str, image: str | None) -> None:
        """What the next machine starts from."""
        ...

    async def was_backed_up(self, slug: str) -> bool:
        """Whether an archive of the cell ever arrived."""
        ...

    async def log(self, slug: str, *, after: int = 0) -> tuple[list[str], int]:
        """Lines that were uploaded after a place, and the place to go on from."""
        ...

    async def forget(self, slug: str) -> None:
        """Remove every row about the cell's machines."""
        ...
