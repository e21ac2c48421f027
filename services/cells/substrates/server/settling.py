"""Waiting for a machine to say that it is ready, and telling why it is not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from clawstack.errors import ClawstackError, NeedsAttentionError, TemporaryError
from services.cells.machines.channel import MachineChannel
from services.cells.machines.schemas import MachinePhase, MachineState, OrderKind
from services.cells.substrates.base.protocol import Tell
from services.cells.substrates.server.retiring import MachinePatience, is_silent, silence
from services.kit.database.base import utcnow
from tenants.server.settings import ServerSettings

#: Reasons of a machine that waiting or another machine cannot mend, and what can.
_LASTING: Final = {
    "gateway_refused_config": "Mend the configuration the message names, then retry the tenant.",
    "checksum_mismatch": "Compare the pinned checksums in CLAWSTACK_SERVERS with the release.",
    "volume_not_blank": "Look at the volume at Hetzner: it holds something that this platform did not put there.",
    "volume_ambiguous": "Detach the volume that is not the cell's.",
    "bundle_refused": "Platform and machine are of different releases: have the cell rebuilt.",
}
_REFUSED_GRACE: Final = timedelta(seconds=30)
_LAST_LINES: Final = 5


class MachineSettling:
    """Looks at what the machine reports until it is what is wanted."""

    def __init__(self, channel: MachineChannel, settings: ServerSettings, patience: MachinePatience) -> None:
        self._channel = channel
        self._seconds = float(settings.ready_seconds)
        self._patience = patience

    async def until_ready(self, slug: str, key: str, *, tell: Tell) -> None:
        """Return once the machine of this boot serves what the platform wants.

        Raises NeedsAttentionError for a reason that lasts, TemporaryError otherwise; both say what the machine said.
        """
        told: str | None = None
        try:
            async with asyncio.timeout(self._seconds):
                while not _serves(machine := await self._machine(slug, key)):
                    await self._judge(slug, machine)
                    told = _tell_news(machine, told, tell)
                    await asyncio.sleep(self._patience.look)
        except TimeoutError:
            raise await self._too_late(slug, key) from None
        tell("The assistant answers on its own server.")

    async def _machine(self, slug: str, key: str) -> MachineState:
        found = next((machine for machine in await self._channel.machines(slug) if machine.key == key), None)
        if found is None or found.closed_at is not None:
            raise TemporaryError(
                f"The machine of {slug} was replaced meanwhile.", code="server_replaced", retry_after=1
            )
        return found

    async def _judge(self, slug: str, machine: MachineState) -> None:
        # What it said of an older configuration may be mended: it has not looked at the new one yet.
        spoken = machine.tried_version == machine.wanted_version
        if machine.phase is MachinePhase.FAILED and spoken and machine.code in _LASTING:
            raise NeedsAttentionError(
                machine.reason or f"The machine of {slug} failed.", code=machine.code, remedy=_LASTING[machine.code]
            )
        if machine.used_at is None and (machine.phase is MachinePhase.FAILED or machine.expires_at <= utcnow()):
            await self._give_up(slug)
            raise _failed(slug, machine)
        if machine.refusals and _is_lost(machine):
            await self._give_up(slug)
            raise TemporaryError(
                f"A second machine came with the boot token of {slug}, and the first one does not call.",
                code="boot_token_used",
                remedy="The next try makes a new machine. If this happens again, somebody reads your user data.",
                retry_after=5,
            )
        if (
            machine.phase is MachinePhase.STOPPED
        ):  # it was told to stop for a resize that did not come about, or is done
            await self._channel.order(machine.key, OrderKind.START)

    async def _give_up(self, slug: str) -> None:
        """This machine will not come any more; the next operation gets a new boot, and with it a new machine."""
        await self._channel.close(slug)

    async def _too_late(self, slug: str, key: str) -> ClawstackError:
        machine = await self._machine(slug, key)
        if machine.used_at is not None and is_silent(machine):
            return silence(slug, machine)
        if machine.used_at is None:
            return TemporaryError(
                f"The server of {slug} is there, but its machine has not called within {self._seconds:.0f} s.",
                code="server_silent",
                remedy="Look at its console at Hetzner.",
                retry_after=60,
            )
        lines, _ = await self._channel.log(slug)
        last = " | ".join(lines[-_LAST_LINES:]) or "nothing"
        return TemporaryError(
            f"The assistant of {slug} was not ready within {self._seconds:.0f} s ({machine.phase.value}: "
            f"{machine.reason or 'no reason was given'}). Its log ends: {last}",
            code="gateway_not_ready",
            retry_after=30,
        )


def _serves(machine: MachineState) -> bool:
    return (
        machine.phase is MachinePhase.READY
        and machine.applied_version == machine.wanted_version
        and machine.retired_at is None
        and not is_silent(machine)
    )


def _is_lost(machine: MachineState) -> bool:
    last = machine.seen_at or machine.used_at
    return last is not None and utcnow() - last > _REFUSED_GRACE


def _failed(slug: str, machine: MachineState) -> ClawstackError:
    if machine.phase is MachinePhase.FAILED:
        reason = f"The machine of {slug} could not be set up: {machine.reason or 'no reason was given'}"
        return TemporaryError(reason, code=machine.code or "install_failed", retry_after=30)
    return TemporaryError(
        f"The machine of {slug} did not call before its boot token expired.", code="boot_token_expired", retry_after=5
    )


def _tell_news(machine: MachineState, told: str | None, tell: Tell) -> str | None:
    words = {
        MachinePhase.WAITING: "The server was made; its machine is being set up.",
        MachinePhase.BOOTING: "The machine fetched its configuration.",
        MachinePhase.STARTING: "The assistant is starting.",
    }.get(machine.phase)
    if machine.phase is MachinePhase.FAILED:
        words = f"The machine tries again: {machine.reason}"
    if words is not None and words != told:
        tell(words)
    return words or told
