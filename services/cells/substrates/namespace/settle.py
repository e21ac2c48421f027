"""Waits until a cell is what was asked, tells how it goes, and says why when it does not come.

What a running gateway can take over it gets without a restart: other resources through Kubernetes' in-place resize,
another configuration through its mounted ConfigMap. Only when the template's digest differs is the pod replaced, once.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from dataclasses import dataclass
from typing import Final

from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import Pod

from clawstack.errors import ClawstackError, NeedsAttentionError, TemporaryError
from clawstack.vocabulary import Desired
from services.cells.substrates.base.protocol import Tell
from services.cells.substrates.namespace import stopping
from services.cells.substrates.namespace.judge import (
    POD,
    CellVerdict,
    Phase,
    View,
    gateway_began,
    is_same,
    is_stuck,
    judge,
    talker,
    wants_pod,
)
from services.cells.substrates.namespace.objects import CellObjects, EventKey, event_keys
from services.cells.substrates.namespace.resources import (
    has_resources,
    needs_new_pod,
    resize_obstacle,
    smaller_than,
    wanted_resize,
)
from tenants.namespace.files import CONFIG_FILE, CONFIG_MOUNT
from tenants.namespace.workload import NAME
from tenants.spec import CellSpec

_CONFIG_SEEN: Final = "clawstack.dev/config-digest"
_LOG_LINES: Final = 15
_RETRY: Final = 20.0
_THOROUGH: Final = 3.0
"""Seconds between looks at one cell's own objects: a hundred starts at once must not drown the API server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodPatience:
    """How long things may take, in seconds."""

    ready: float = 400.0
    """From a pod that is asked for to a gateway that answers: 6 to 15 s, but up to 5 min where the one before died and
    left its lock; a first pull of the image takes minutes as well."""
    stop: float = stopping.STOP_SECONDS
    resize: float = 30.0
    config: float = 30.0
    """Until the kubelet brought a changed configuration into the pod."""
    poll: float = 1.0


class PodSettling:
    """One wait for one cell."""

    def __init__(self, cell: CellObjects, spec: CellSpec, *, tell: Tell, patience: PodPatience) -> None:
        self._cell = cell
        self._spec = spec
        self._tell = tell
        self._patience = patience

    async def run(self) -> None:
        """Return once the cell is what the specification says; else raise with the reason."""
        stateful_set = await self._cell.stateful_set()
        if stateful_set is None:
            raise TemporaryError(
                f"The namespace {self._cell.namespace} holds no gateway although it was just built.",
                code="cell_changed",
                remedy="Run the operation again; it builds what is missing.",
            )
        if self._spec.desired is Desired.SUSPENDED:
            await self._suspended(stateful_set)
        else:
            await self._running(stateful_set)

    async def _suspended(self, stateful_set: StatefulSet) -> None:
        if wants_pod(stateful_set):
            await self._cell.scale(0)
        await stopping.wait_stopped(self._cell, tell=self._tell, seconds=self._patience.stop)
        if await self._cell.claim() is None:
            raise NeedsAttentionError(
                f"The volume of {self._spec.slug} is gone although the assistant is only suspended.",
                code="volume_missing",
                remedy="Restore the last backup into a new cell; somebody deleted the claim.",
            )
        self._tell("The gateway is stopped; its volume is kept.")

    async def _running(self, stateful_set: StatefulSet) -> None:
        before = event_keys(await self._cell.events())
        if not wants_pod(stateful_set):
            await self._cell.scale(1)  # a suspension that was called off leaves it at zero
        await self._grow()
        pod = await self._cell.pod()
        if pod is None:
            await self._cell.nudge()
        else:
            await self._adjust(pod, stateful_set)
        pod = await self._wait_ready(before, old=pod if pod is not None and gateway_began(pod) else None)
        await self._refresh_config(pod)
        await stopping.note_used(self._cell)

    async def _adjust(self, pod: Pod, stateful_set: StatefulSet) -> None:
        """Bring the pod that is there to the template: nothing, a resize, or a new pod."""
        if is_stuck(pod):
            await self._start_afresh(pod)
        elif reason := needs_new_pod(pod, stateful_set):
            self._tell(f"The gateway is restarted: {reason}.")
            await self._replace(pod)
        elif resources := wanted_resize(pod, stateful_set):
            await self._resize(resources)

    async def _start_afresh(self, pod: Pod) -> None:
        self._tell("The gateway's pod failed before; it gets a fresh start.")
        await self._replace(pod)

    async def _replace(self, pod: Pod) -> None:
        await self._cell.cluster.delete_pod(pod)
        await stopping.wait_gone(self._cell, pod, tell=self._tell, seconds=self._patience.stop)

    async def _resize(self, resources: dict[str, dict[str, str]]) -> None:
        refused = await self._cell.resize(resources)
        deadline = time.monotonic() + self._patience.resize
        while refused is None and time.monotonic() < deadline:
            pod = await self._cell.pod()
            if pod is None:
                return  # it is being made anew, of the present template
            if has_resources(pod, resources):
                self._tell("The running gateway has the resources of its plan, without a restart.")
                return
            refused = resize_obstacle(pod)
            await asyncio.sleep(self._patience.poll / 2)
        self._tell(
            f"The gateway gets the resources of its plan with its next restart ({refused or 'the node did not answer in time'})."
        )

    async def _grow(self) -> None:
        claim = await self._cell.claim()
        if claim is None or not smaller_than(claim, self._spec.resources.disk_mb):
            return
        refused = await self._cell.grow(self._spec.resources.disk_mb)
        if refused is None:
            self._tell(f"The volume grows to {self._spec.resources.disk_mb} MiB.")
        else:
            self._tell(f"The volume keeps its size, since the cluster cannot let it grow ({refused}).")

    async def _wait_ready(self, before: frozenset[EventKey], *, old: Pod | None) -> Pod:
        """The pod, once its gateway answers. Between thorough looks only the pod is asked for.

        A failure of the `old` pod is not this operation's: one whose gateway was just being tried again looked well
        when it was adjusted. It gets its fresh start here, once, since the next pod is another one.
        """
        began = since = time.monotonic()
        looked, told, code = -math.inf, "", ""
        while True:
            now = time.monotonic()
            if now - looked >= _THOROUGH or await self._seems_ready():
                looked = now
                view = await self._cell.view(before=before)
                verdict = judge(view)
                if verdict.phase is Phase.READY and view.pod is not None:
                    self._tell(verdict.sentence)
                    return view.pod
                if verdict.sentence != told:
                    told = verdict.sentence
                    self._tell(told)
                if verdict.code != code:
                    code, since = verdict.code, now
                allowed = self._patience.ready if verdict.patience is None else verdict.patience
                if now - since >= allowed or now - began >= self._patience.ready:
                    if view.pod is not None and is_same(view.pod, old) and is_stuck(view.pod):
                        await self._start_afresh(view.pod)
                        continue
                    raise await self._failure(verdict, view.pod)
            await asyncio.sleep(self._patience.poll)

    async def _seems_ready(self) -> bool:
        # Its own pod costs 1.3 ms of CPU here; one list for all who wait costs 230 ms with 500 cells (measured).
        pod = await self._cell.pod()
        return pod is not None and judge(View(stateful_set=None, pod=pod)).phase is Phase.READY

    async def _failure(self, verdict: CellVerdict, pod: Pod | None) -> ClawstackError:
        sentence = verdict.sentence
        if pod is not None and verdict.phase in {Phase.BROKEN, Phase.STARTING}:
            lines = await self._cell.cluster.logs(pod, talker(pod), lines=_LOG_LINES)
            if lines:
                sentence += " Its last lines: " + " | ".join(line[:300] for line in lines)
        if verdict.final:
            return NeedsAttentionError(sentence, code=verdict.code, remedy=verdict.remedy or None)
        return TemporaryError(
            sentence, code=verdict.code or "gateway_not_ready", retry_after=_RETRY, remedy=verdict.remedy or None
        )

    async def _refresh_config(self, pod: Pod) -> None:
        """The kubelet brings a changed ConfigMap within a minute or two; a touched pod gets it at once."""
        config = await self._cell.config()
        text = (config.data or {}).get(CONFIG_FILE, "") if config else ""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        seen = (pod.metadata.annotations or {}).get(_CONFIG_SEEN) if pod.metadata else None
        if seen == digest:
            return
        await self._cell.annotate(Pod, POD, {_CONFIG_SEEN: digest})
        if seen is not None and await self._config_arrives(text):
            self._tell("The running gateway has its new configuration, without a restart.")

    async def _config_arrives(self, text: str) -> bool:
        deadline = time.monotonic() + self._patience.config
        command = ["cat", str(CONFIG_MOUNT / CONFIG_FILE)]
        while time.monotonic() < deadline:
            code, mounted, _ = await self._cell.cluster.run(POD, NAME, self._cell.namespace, command, seconds=10)
            if code == 0 and mounted.strip() and text.endswith(mounted):
                return True
            await asyncio.sleep(self._patience.poll)
        return False
