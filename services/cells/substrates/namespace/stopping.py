"""The gateway finishes its turns and is gone; what it wrote stays.

A gateway that gets SIGTERM stops taking turns, finishes those under way (315 s at most) and exits: the pod's grace
period is made for that. So a stop is "no replicas" and patience, and whatever kills the platform in between leaves
something that the next run understands.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from lightkube.resources.core_v1 import PersistentVolumeClaim, Pod

from clawstack.errors import TemporaryError
from services.cells.substrates.base.protocol import Tell
from services.cells.substrates.namespace.judge import Phase, View, is_same, judge
from services.cells.substrates.namespace.objects import CellObjects
from tenants.namespace.workload import CLAIM

STOP_SECONDS: Final = 360.0
"""The grace period of 330 s and time for the node to clear up."""
USED: Final = "clawstack.dev/used"
"""Annotation of the claim: a gateway was ready on this volume once."""
_POLL: Final = 0.5


async def stop(cell: CellObjects, *, tell: Tell) -> None:
    """No gateway runs on the volume when this returns; repeating changes nothing."""
    await cell.scale(0)
    await wait_stopped(cell, tell=tell, seconds=STOP_SECONDS)


async def wait_stopped(cell: CellObjects, *, tell: Tell, seconds: float) -> None:
    """Return once there is no gateway's pod; raises TemporaryError that says what holds it."""
    pod = await cell.pod()
    if pod is not None:
        await wait_gone(cell, pod, tell=tell, seconds=seconds)


async def wait_gone(cell: CellObjects, pod: Pod, *, tell: Tell, seconds: float) -> None:
    """Return once this very pod is gone."""
    deadline, told = time.monotonic() + seconds, False
    lost_since: float | None = None
    while True:
        live = await cell.pod()
        if live is None or not is_same(live, pod):
            return
        now = time.monotonic()
        name = live.spec.nodeName if live.spec else None
        verdict = judge(View(stateful_set=None, pod=live, node=await cell.cluster.node(name) if name else None))
        if verdict.phase is Phase.STOPPING and not told:
            tell(verdict.sentence)
            told = True
        lost_since = (lost_since or now) if verdict.code == "node_gone" else None
        if now >= deadline or (lost_since is not None and now - lost_since >= (verdict.patience or 0)):
            raise TemporaryError(
                verdict.sentence,
                code="node_gone" if verdict.code == "node_gone" else "gateway_still_stopping",
                retry_after=30.0,
                remedy=verdict.remedy or "It goes on by itself; the operation is tried again.",
            )
        await asyncio.sleep(_POLL)


async def note_used(cell: CellObjects) -> None:
    """Remember on the claim that there is something to back up."""
    claim = await cell.claim()
    if claim is not None and claim.metadata is not None and USED not in (claim.metadata.annotations or {}):
        await cell.annotate(PersistentVolumeClaim, CLAIM, {USED: "true"})
