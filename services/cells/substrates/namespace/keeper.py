"""Starts the keeper pod, lends it out, removes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol, cast

from lightkube.resources.core_v1 import Pod

from clawstack.errors import ClawstackError, NeedsAttentionError, TemporaryError
from services.cells.substrates.namespace.judge import View, is_ready, judge_keeper
from services.cells.substrates.namespace.objects import CellObjects, EventKey, event_key, event_keys
from tenants.namespace.keeper_pod import KEEPER, keeper_pod
from tenants.namespace.plan import keeper_labels
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec

_START_SECONDS: Final = 180.0
_COMMAND_SECONDS: Final = 900.0
"""For a state of several gigabytes on a slow disk."""
_GONE_SECONDS: Final = 60.0
_POLL: Final = 0.5


class _Sink(Protocol):
    def write(self, data: bytes) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Room:
    """A container in which commands can be run on the cell's volume."""

    cell: CellObjects
    pod: str
    container: str

    async def run(self, script: str, *arguments: str, stdin: BinaryIO | None = None) -> tuple[int, str, str]:
        """Run a shell script with arguments: exit code, end of output, end of errors."""
        command: Sequence[str] = ("sh", "-c", script, "sh", *arguments)
        return await self.cell.cluster.run(
            self.pod, self.container, self.cell.namespace, command, seconds=_COMMAND_SECONDS, stdin=stdin
        )

    async def receive(self, path: str, sink: _Sink) -> None:
        """Copy a file out of the container, in pieces."""
        code, _, errors = await self.cell.cluster.run(
            self.pod, self.container, self.cell.namespace, ("cat", path), seconds=_COMMAND_SECONDS,
            stdout=cast("BinaryIO", sink),
        )  # fmt: skip
        if code != 0:
            raise TemporaryError(
                f"The archive of {self.cell.slug} could not be read: {errors}", code="backup_incomplete"
            )


@asynccontextmanager
async def keeper(cell: CellObjects, spec: CellSpec, settings: NamespaceSettings) -> AsyncIterator[Room]:
    """A running keeper pod, gone when the context ends.

    One that an earlier run left is removed first. Raises what keeps it from starting.
    """
    await _remove(cell)
    before = event_keys(await cell.events())
    manifest = keeper_pod(spec, settings, labels=keeper_labels(spec))
    try:
        with cell.cluster.translated():
            await cell.cluster.client.create(cast("Pod", Pod.from_dict(manifest)))
        await _wait_running(cell, before)
        yield Room(cell=cell, pod=KEEPER, container=KEEPER)
    finally:
        await _surely(_remove(cell))


async def _wait_running(cell: CellObjects, before: frozenset[EventKey]) -> None:
    since, code = time.monotonic(), ""
    deadline = since + _START_SECONDS
    while True:
        pod = await cell.pod(KEEPER)
        if pod is not None and is_ready(pod):
            return
        verdict, now = judge_keeper(await _view(cell, pod, before)), time.monotonic()
        if verdict.code != code:
            code, since = verdict.code, now
        allowed = _START_SECONDS if verdict.patience is None else verdict.patience
        if now >= deadline or now - since >= allowed:
            kind: type[ClawstackError] = NeedsAttentionError if verdict.final else TemporaryError
            raise kind(
                f"The volume of {cell.slug} cannot be opened. {verdict.sentence}",
                code=verdict.code or "keeper_not_ready",
                remedy=verdict.remedy or "Nothing was erased; the operation is tried again.",
            )
        await asyncio.sleep(_POLL)


async def _view(cell: CellObjects, pod: Pod | None, before: frozenset[EventKey]) -> View:
    events = [event for event in await cell.events() if event_key(event) not in before]
    name = pod.spec.nodeName if pod and pod.spec else None
    node = await cell.cluster.node(name) if name else None
    return View(stateful_set=None, pod=pod, claim=await cell.claim(), events=events, node=node)


async def _surely(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end even where this task is cancelled meanwhile.

    Nothing that can open the volume stays, and no late removal takes the next run's keeper away.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    task.result()


async def _remove(cell: CellObjects) -> None:
    deadline = time.monotonic() + _GONE_SECONDS
    while (pod := await cell.pod(KEEPER)) is not None:
        if pod.metadata is None or pod.metadata.deletionTimestamp is None:
            await cell.cluster.delete_pod(pod, grace=1)
        if time.monotonic() >= deadline:
            raise TemporaryError(
                f"The keeper pod of {cell.slug} does not end.", code="keeper_remains", retry_after=30.0,
                remedy="Look at its node; the operation is tried again.",
            )  # fmt: skip
        await asyncio.sleep(_POLL)
