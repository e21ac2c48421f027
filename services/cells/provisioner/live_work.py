"""Calls of a substrate's driver within an operation: told, and given up when the operation is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from clawstack.errors import ClawstackError, TemporaryError
from clawstack.vocabulary import EventKind
from services.cells.engine.control import RunControl
from services.cells.engine.narration import NarratedStep
from services.cells.provisioner.recorder import EventRecorder
from services.cells.substrates.base.protocol import SubstrateDriver
from tenants.backups.archive import Archive
from tenants.spec import CellSpec

_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveWork:
    """One operation's use of one driver. Every method raises OperationStoppedError once the operation is to stop."""

    driver: SubstrateDriver
    control: RunControl
    recorder: EventRecorder

    async def prepare(self, spec: CellSpec) -> None:
        """Before an update."""
        await self._while_wanted(self.driver.prepare(spec, tell=self._tell))

    async def settle(self, spec: CellSpec) -> None:
        """After an update."""
        await self._while_wanted(self.driver.settle(spec, tell=self._tell))

    async def release(self, spec: CellSpec) -> None:
        """Before the end."""
        await self._while_wanted(self.driver.release(spec, tell=self._tell))

    async def confirm_gone(self, slug: str) -> None:
        """After the end."""
        await self._while_wanted(self.driver.confirm_gone(slug, tell=self._tell))

    async def elsewhere(self, spec: CellSpec, error: TemporaryError) -> TemporaryError:
        """The failure of an update, where the next one is tried in another place."""
        with suppress(ClawstackError):  # nobody is helped by a second failure
            return await self.driver.elsewhere(spec, error)
        return error

    async def obstacle(self, slug: str) -> TemporaryError | None:
        """Why the end does not come, where that can be told."""
        with suppress(ClawstackError):  # nobody is helped by a second failure
            return await self.driver.obstacle(slug)
        return None

    async def back_up(self, spec: CellSpec) -> None:
        """At any time."""
        await self._while_wanted(self.driver.backup(spec, tell=self._tell))

    async def restore(self, spec: CellSpec, archive: Archive) -> None:
        """Into a cell that was built suspended."""
        await self._while_wanted(self.driver.restore(spec, archive, tell=self._tell))

    async def fingerprints(self, slug: str) -> dict[str, str]:
        """What the cell looks like now, to be compared with later."""
        return dict(await self.driver.fingerprints(slug))

    def _tell(self, sentence: str) -> None:
        self.recorder.tell(NarratedStep(kind=EventKind.HEALTH, message=sentence))

    async def _while_wanted(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        try:
            self.control.check()  # before `work` has begun: a task starts at the next await
            while not (await asyncio.wait([task], timeout=_LOOK_SECONDS))[0]:
                self.control.check()
            task.result()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # its own error was raised above, or nobody waits for it
                await task
