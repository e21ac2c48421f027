"""Telling machines to do something and waiting until they have: bounded, with the reason when they do not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from clawstack.errors import NeedsAttentionError, TemporaryError
from services.cells.machines.channel import MachineChannel
from services.cells.machines.schemas import MachinePhase, MachineState, OrderKind, OrderState
from services.cells.substrates.base.protocol import Tell
from services.kit.database.base import utcnow

SILENT: Final = timedelta(seconds=90)
"""A machine that has not called for so long does not work."""
_WORDS: Final = {
    OrderKind.START: "start the assistant",
    OrderKind.STOP: "finish its turns and stop",
    OrderKind.BACKUP: "back itself up",
    OrderKind.RETIRE: "finish its turns, stop and back itself up",
}
#: Reasons that repeating cannot mend.
_LASTING: Final = frozenset({"volume_not_blank", "volume_ambiguous", "volume_locked"})


@dataclass(frozen=True, kw_only=True)
class MachinePatience:
    """How long is waited, in seconds."""

    order: float = 540.0
    """For an order: 330 s for the last turns, the rest for the backup. Repeating the operation goes on waiting."""
    look: float = 1.0
    """Between two looks."""


class Foreman:
    """Gives orders to one machine at a time."""

    def __init__(self, channel: MachineChannel, patience: MachinePatience) -> None:
        self._channel = channel
        self._patience = patience

    async def have(self, slug: str, machine: MachineState, kind: OrderKind, *, tell: Tell) -> OrderState:
        """How the order ended, well; raises TemporaryError or NeedsAttentionError with the machine's own reason."""
        number = await self._channel.order(machine.key, kind)
        tell(f"The machine was told to {_WORDS[kind]}.")
        try:
            async with asyncio.timeout(self._patience.order):
                return await self._answer(slug, machine.key, number, kind)
        except TimeoutError:
            raise TemporaryError(
                f"The machine of {slug} did not {_WORDS[kind]} within {self._patience.order:.0f} s.",
                code="server_busy",
                retry_after=30,
            ) from None

    async def retire(self, slug: str, machine: MachineState, *, tell: Tell) -> None:
        """Have the machine stopped for good, with a verified backup of its last state. Repeating it does it once."""
        before = await self._channel.last(machine.key, OrderKind.RETIRE)
        if before is None or not before.ok:
            before = await self.have(slug, machine, OrderKind.RETIRE, tell=tell)
        made = f"A verified backup was made: {before.archive}." if before.archive else "There was nothing to back up."
        tell(f"The assistant is stopped. {made}")

    async def _answer(self, slug: str, key: str, number: int, kind: OrderKind) -> OrderState:
        while not (state := await self._channel.answer(number)).finished:
            await self._require_alive(slug, key)
            await asyncio.sleep(self._patience.look)
        if state.ok:
            return state
        reason = f"The machine of {slug} could not {_WORDS[kind]}: {state.reason or 'no reason was given'}"
        if state.code in _LASTING:
            raise NeedsAttentionError(reason, code=state.code)
        raise TemporaryError(reason, code=state.code or "server_failed", retry_after=30)

    async def _require_alive(self, slug: str, key: str) -> None:
        machine = next((item for item in await self._channel.machines(slug) if item.key == key), None)
        if machine is None or machine.closed_at is not None:
            raise TemporaryError(f"The machine of {slug} was replaced meanwhile.", code="server_replaced")
        if is_silent(machine):
            raise silence(slug, machine)


def is_silent(machine: MachineState) -> bool:
    """Whether the machine ought to have called by now."""
    last = machine.seen_at or machine.used_at
    return last is None or utcnow() - last > SILENT


def silence(slug: str, machine: MachineState) -> TemporaryError:
    """What to say of a machine that does not call."""
    last = f"since {machine.seen_at:%Y-%m-%d %H:%M:%S} UTC" if machine.seen_at else "at all"
    return TemporaryError(
        f"The machine of {slug} has not called {last}.",
        code="server_silent",
        remedy="Look at its console at Hetzner; `clawstack tenants destroy --skip-backup` gives its last state up.",
        retry_after=60,
    )


def is_running(machine: MachineState) -> bool:
    """Whether its gateway serves."""
    return machine.phase is MachinePhase.READY
