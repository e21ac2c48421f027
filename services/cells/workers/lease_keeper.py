"""Keeps a lease while its holder works, and stops the work at once when it is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final, Self

from clawstack.background import end
from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.cells.engine.control import RunControl, StopReason
from services.cells.engine.identity import ProcessIdentity
from services.cells.workers import leases
from services.cells.workers.leases import Grant, LeaseLostError
from services.kit.database.connection import Database

log = get_logger(__name__)

_RENEWALS_PER_TERM: Final = 3
_PAUSE: Final = 0.5


class LeaseKeeper:
    """An async context manager around all work on one cell: renews the lease inside, gives it back on leaving."""

    def __init__(self, *, database: Database, grant: Grant, ttl: timedelta) -> None:
        self.grant = grant
        self._database = database
        self._ttl = ttl
        self._good_until = time.monotonic() + ttl.total_seconds()
        self._control: RunControl | None = None
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self.lost = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._renew(), name=f"lease-{self.grant.tenant_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end(self._task)
        with suppress(TemporaryError):  # a database that is away: the lease ends by itself
            async with self._database.transaction() as session:
                await leases.release(session, self.grant)

    @contextmanager
    def stopping(self, control: RunControl) -> Iterator[None]:
        """Stop `control` at once if the lease is lost inside the block."""
        self._control = control
        if self.lost:
            control.stop(StopReason.LEASE_LOST, at_once=True)
        try:
            yield
        finally:
            self._control = None

    def note_process(self, process: ProcessIdentity) -> None:
        """Write down a process before it starts its work; called from the engine's thread, blocks.

        Raises LeaseLostError or TemporaryError: then the process must not go on.
        """
        noted = asyncio.run_coroutine_threadsafe(self._note(process), self._loop)
        noted.result(self._ttl.total_seconds())

    async def _note(self, process: ProcessIdentity) -> None:
        async with self._database.transaction() as session:
            await leases.record_process(session, self.grant, process)

    async def _renew(self) -> None:
        term = self._ttl.total_seconds()
        pause = term / _RENEWALS_PER_TERM
        while True:
            await asyncio.sleep(pause)
            asked = time.monotonic()
            try:
                async with self._database.transaction() as session:
                    await leases.renew(session, self.grant, ttl=self._ttl)
            except LeaseLostError:
                self._lose("another worker took it")
                return
            except TemporaryError:
                pause = _PAUSE
                if time.monotonic() >= self._good_until:
                    self._lose("it could not be renewed in time")
                    return
            else:
                self._good_until = asked + term
                pause = term / _RENEWALS_PER_TERM

    def _lose(self, why: str) -> None:
        self.lost = True
        log.warning("lease_lost", tenant=str(self.grant.tenant_id), fence=self.grant.fence, why=why)
        if self._control is not None:
            self._control.stop(StopReason.LEASE_LOST, at_once=True)
