"""What the objects of a cell say about it: a pure function from documents to a verdict with a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lightkube.models.core_v1 import ContainerState, ContainerStatus
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import Event, Node, PersistentVolumeClaim, Pod

from tenants.namespace.workload import CLAIM, NAME

NEEDS_OPERATOR: Final = 78
"""Exit code of a gateway that no restart can help: lock, configuration or migration (OpenClaw documentation, `gateway/index.md`)."""
POD: Final = f"{NAME}-0"
SEED: Final = "seed"
_NO_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
_NEVER_AN_IMAGE: Final = frozenset({"ErrImageNeverPull", "InvalidImageName"})
_PULL_PATIENCE: Final = 20.0
_PLACE_PATIENCE: Final = 60.0
_VOLUME_PATIENCE: Final = 45.0
_NODE_PATIENCE: Final = 30.0
_CRASHES: Final = 2
_BAD_CONTAINER: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_OVER_QUOTA: Final = re.compile(r"exceeded quota|maximum .* usage per|minimum .* usage per", re.IGNORECASE)
_NO_CLASS: Final = re.compile(r"storageclass.* not found", re.IGNORECASE)


class Phase(StrEnum):
    """How far the gateway is."""

    STOPPED = "stopped"
    """Nothing runs, and nothing is asked to."""
    STOPPING = "stopping"
    """It finishes its turns."""
    ABSENT = "absent"
    """Asked for, and no pod is there yet."""
    UNPLACED = "unplaced"
    """No node was found for it yet."""
    PULLING = "pulling"
    """It has a node; volume and image are being brought."""
    STARTING = "starting"
    """The gateway's process runs, and does not answer yet."""
    READY = "ready"
    BROKEN = "broken"
    """It fails, again and again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The objects of one cell, read at about the same time."""

    stateful_set: StatefulSet | None
    pod: Pod | None
    claim: PersistentVolumeClaim | None = None
    events: Sequence[Event] = ()
    """Those that count: what was told before the operation is left out."""
    node: Node | None = None
    """The pod's, where it could be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellVerdict:
    """What is the matter with a gateway."""

    phase: Phase
    sentence: str
    """For people: what is the case, and why."""
    code: str = ""
    """Of the error, where waiting on would lead to one."""
    final: bool = False
    """Waiting cannot help: somebody has to act."""
    patience: float | None = None
    """Seconds that this may be the case before it counts as a failure; None: as long as a start may take."""
    restarts: int = 0
    remedy: str = ""


def judge(view: View) -> CellVerdict:
    """The first thing that is wrong, else how far the gateway is."""
    pod = view.pod
    if pod is None:
        return _without_pod(view)
    if pod.metadata is not None and pod.metadata.deletionTimestamp is not None:
        return _ending(view)
    if ended := _ended_by_kubernetes(pod):
        return ended
    if not _is_placed(pod):
        return _unplaced(view)
    return _lost_node(view) or _placed(view, pod)


def _placed(view: View, pod: Pod) -> CellVerdict:
    status = pod.status
    seed = _status(status.initContainerStatuses if status else None, SEED)
    gateway = _status(status.containerStatuses if status else None, NAME)
    restarts = gateway.restartCount if gateway else 0
    for container in (seed, gateway):
        if container is not None and (trouble := _trouble(container)):
            return trouble
    if gateway is None or gateway.state is None or gateway.state.running is None:
        return _before_start(view)
    if is_ready(pod):
        return CellVerdict(phase=Phase.READY, sentence="The gateway is ready.", restarts=restarts)
    sentence = "The gateway is starting."
    if gateway.ready:
        why = (_condition(pod, "Ready") or ("", ""))[1] or "its node may not answer"
        sentence = f"The gateway answered last, but Kubernetes does not count its pod as ready: {why}."
    return CellVerdict(phase=Phase.STARTING, sentence=sentence, code="gateway_not_ready", restarts=restarts)


def _ended_by_kubernetes(pod: Pod) -> CellVerdict | None:
    status = pod.status
    if status is None or status.phase != "Failed":
        return None
    why = f"{status.reason or 'no reason given'}: {status.message or ''}".strip(": ")
    sentence = f"Kubernetes ended the gateway's pod ({why}); a new one is being made."
    return CellVerdict(phase=Phase.ABSENT, sentence=sentence, code="gateway_not_ready")


def judge_keeper(view: View) -> CellVerdict:
    """The same for a keeper pod: why it does not run yet."""
    status = view.pod.status if view.pod else None
    if view.pod is None:
        return CellVerdict(phase=Phase.ABSENT, sentence="Its keeper pod is gone.", code="keeper_gone", patience=0)
    if status is not None and status.phase in {"Failed", "Succeeded"}:
        sentence = f"Its keeper pod ended early ({status.reason or status.phase}: {status.message or ''})."
        return CellVerdict(phase=Phase.BROKEN, sentence=sentence, code="keeper_gone", patience=0)
    if not _is_placed(view.pod):
        return _unplaced(view)
    if lost := _lost_node(view):
        return lost
    for container in (status.containerStatuses if status else None) or ():
        if trouble := _trouble(container):
            return trouble
    return _before_start(view)


def is_ready(pod: Pod) -> bool:
    """Whether everything in the pod answers, as far as anybody can know now.

    What its containers say is their kubelet's last word: where the node is lost it stays "ready" until the pod is
    evicted, five minutes later. The pod's own condition is set to false as soon as the node is counted as lost.
    """
    containers = (pod.status.containerStatuses if pod.status else None) or ()
    return (
        bool(containers) and all(entry.ready for entry in containers) and _condition(pod, "Ready", "True") is not None
    )


def is_same(pod: Pod, other: Pod | None) -> bool:
    """Whether both are the very same pod: the next one has its name, and another uid."""
    return bool(pod.metadata and other and other.metadata and pod.metadata.uid == other.metadata.uid)


def is_stuck(pod: Pod) -> bool:
    """Whether it failed, and Kubernetes waits longer and longer before it tries again: a new pod is tried at once."""
    status = pod.status
    if status is None:
        return False
    containers = [*(status.initContainerStatuses or []), *(status.containerStatuses or [])]
    return any(_failed(entry.state) for entry in containers if entry.state)


def _failed(state: ContainerState) -> bool:
    if state.waiting is not None:
        return state.waiting.reason in _NO_IMAGE | _BAD_CONTAINER | {"CrashLoopBackOff"}
    return state.terminated is not None and state.terminated.exitCode != 0


def gateway_began(pod: Pod) -> bool:
    """Whether this pod's gateway ever started, and so may have written into the volume."""
    status = pod.status
    gateway = _status(status.containerStatuses if status else None, NAME)
    if gateway is None:
        return False
    if gateway.restartCount or (gateway.lastState and gateway.lastState.terminated):
        return True
    return bool(gateway.state and (gateway.state.running or gateway.state.terminated))


def talker(pod: Pod) -> str:
    """The container whose last lines say what is wrong."""
    status = pod.status
    seed = _status(status.initContainerStatuses if status else None, SEED)
    failed = seed is not None and seed.state is not None and seed.state.waiting is not None and bool(seed.restartCount)
    return SEED if failed or (seed is not None and not gateway_began(pod)) else NAME


def wants_pod(stateful_set: StatefulSet | None) -> bool:
    """Whether a gateway is asked for."""
    return bool(stateful_set is not None and stateful_set.spec.replicas)


def _without_pod(view: View) -> CellVerdict:
    if view.stateful_set is None:
        return CellVerdict(phase=Phase.STOPPED, sentence="There is no gateway in the namespace.", code="cell_absent")
    if not wants_pod(view.stateful_set):
        return CellVerdict(phase=Phase.STOPPED, sentence="The gateway is stopped; its volume is kept.")
    for event in _warnings(view.events, "FailedCreate", "StatefulSet"):
        words = _words(event)
        if _OVER_QUOTA.search(words):
            return CellVerdict(
                phase=Phase.ABSENT,
                sentence=f"Kubernetes refuses the gateway's pod, since it is larger than the namespace may be: {words}",
                code="quota_exceeded",
                final=True,
                patience=0,
                remedy="Compare the plan's resources with the namespace's quota and limits; an update sets them anew.",
            )
        if "forbidden" in words.lower() or "violates" in words.lower() or "invalid" in words.lower():
            return CellVerdict(
                phase=Phase.ABSENT,
                sentence=f"Kubernetes refuses the gateway's pod: {words}",
                code="pod_refused",
                final=True,
                patience=0,
                remedy="Mend what the cluster's rules find wrong with it, then run the operation again.",
            )
    return CellVerdict(phase=Phase.ABSENT, sentence="The gateway's pod is not there yet.", code="gateway_not_ready")


def _ending(view: View) -> CellVerdict:
    name = _node_name(view.pod)
    if _lost_node(view) is not None:
        return CellVerdict(
            phase=Phase.STOPPING,
            sentence=f"The gateway's node {name} does not answer, so nobody knows whether the old gateway still runs.",
            code="node_gone",
            patience=_NODE_PATIENCE,
            remedy="Bring the node back. If it is switched off for good, remove it from the cluster; then the pod goes.",
        )
    return CellVerdict(
        phase=Phase.STOPPING, sentence="The gateway is finishing its turns.", code="gateway_still_stopping"
    )


def _unplaced(view: View) -> CellVerdict:
    if volume := _unbound(view):
        return volume
    condition = _condition(view.pod, "PodScheduled")
    if condition is not None and condition[0] == "False":
        return CellVerdict(
            phase=Phase.UNPLACED,
            sentence=f"No node has room for the gateway: {condition[1] or 'the scheduler gives no reason'}",
            code="unschedulable",
            patience=_PLACE_PATIENCE,
            remedy="Add a node or make room; the gateway starts by itself then.",
        )
    return CellVerdict(phase=Phase.UNPLACED, sentence="The gateway waits for a node.", code="gateway_not_ready")


def _unbound(view: View) -> CellVerdict | None:
    claim = view.claim
    if claim is None or (claim.status and claim.status.phase == "Bound"):
        return None
    for reason in ("ProvisioningFailed", "FailedBinding"):
        for event in _warnings(view.events, reason, "PersistentVolumeClaim", kind=None):
            words = _words(event)
            return CellVerdict(
                phase=Phase.UNPLACED,
                sentence=f"The gateway's volume cannot be had: {words}",
                code="volume_not_bound",
                final=bool(_NO_CLASS.search(words)),
                patience=0 if _NO_CLASS.search(words) else _VOLUME_PATIENCE,
                remedy="Look at the cluster's storage classes and their provisioner.",
            )
    return None


def _before_start(view: View) -> CellVerdict:
    for reason in ("FailedAttachVolume", "FailedMount", "FailedCreatePodSandBox"):
        for event in _warnings(view.events, reason, "Pod"):
            return CellVerdict(
                phase=Phase.PULLING,
                sentence=f"The gateway's pod cannot start on {_node_name(view.pod)} yet: {_words(event)}",
                code="gateway_not_ready",
                remedy="Look at the node's kubelet and its volumes.",
            )
    return CellVerdict(
        phase=Phase.PULLING,
        sentence=f"The gateway has a place on {_node_name(view.pod)}; volume and image are being brought.",
        code="gateway_not_ready",
    )


def _trouble(container: ContainerStatus) -> CellVerdict | None:
    restarts = container.restartCount
    waiting = container.state.waiting if container.state else None
    last = container.lastState.terminated if container.lastState else None
    ended = (container.state.terminated if container.state else None) or last
    code = ended.exitCode if ended else None
    if waiting is not None and waiting.reason in _NO_IMAGE:
        return CellVerdict(
            phase=Phase.BROKEN,
            sentence=f"The image {container.image} cannot be had ({waiting.reason}): {waiting.message or 'no reason given'}",
            code="image_pull_failed",
            final=True,
            # A registry may stumble; an image that is nowhere stays away.
            patience=0 if waiting.reason in _NEVER_AN_IMAGE else _PULL_PATIENCE,
            restarts=restarts,
            remedy="Look at the image's name, tag and digest in the cluster's settings, and whether the nodes reach its registry.",
        )
    if waiting is not None and waiting.reason in _BAD_CONTAINER:
        return CellVerdict(
            phase=Phase.BROKEN,
            sentence=f"The node cannot start the container {container.name} ({waiting.reason}): {waiting.message or ''}",
            code="pod_refused",
            patience=_PULL_PATIENCE,
            restarts=restarts,
        )
    running = container.state.running if container.state else None
    if container.name == NAME and code == NEEDS_OPERATOR and running is None:
        return CellVerdict(
            phase=Phase.BROKEN,
            sentence=f"The gateway refuses to start (exit code {NEEDS_OPERATOR}): it needs somebody to act.",
            code="gateway_refused_config",
            final=True,
            patience=0,
            restarts=restarts,
            remedy="Its last lines say what is wrong; mend that and run the operation again.",
        )
    if waiting is not None and waiting.reason == "CrashLoopBackOff":
        why = f"{ended.reason or 'Error'}, exit code {code}" if ended else "no reason was given"
        return CellVerdict(
            phase=Phase.BROKEN,
            sentence=f"The container {container.name} ends again and again ({why}; {restarts} restarts).",
            code="gateway_not_ready",
            patience=0 if restarts >= _CRASHES else None,
            restarts=restarts,
        )
    return None


def _lost_node(view: View) -> CellVerdict | None:
    node = view.node
    conditions = (node.status.conditions if node and node.status else None) or []
    ready = next((entry for entry in conditions if entry.type == "Ready"), None)
    if ready is None or ready.status == "True":
        return None
    return CellVerdict(
        phase=Phase.BROKEN,
        sentence=f"The gateway's node {_node_name(view.pod)} does not answer: {ready.message or ready.reason or ready.status}",
        code="node_gone",
        patience=_NODE_PATIENCE,
        remedy="Bring the node back, or remove it from the cluster so that the gateway may start on another one.",
    )


def _status(entries: Sequence[ContainerStatus] | None, name: str) -> ContainerStatus | None:
    return next((entry for entry in entries or () if entry.name == name), None)


def _is_placed(pod: Pod) -> bool:
    return bool(pod.spec and pod.spec.nodeName)


def _node_name(pod: Pod | None) -> str:
    return (pod.spec.nodeName if pod and pod.spec else None) or "no node"


def _condition(pod: Pod | None, kind: str, status: str | None = None) -> tuple[str, str] | None:
    for entry in (pod.status.conditions if pod and pod.status else None) or []:
        if entry.type == kind and status in (None, entry.status):
            return entry.status, entry.message or ""
    return None


def _warnings(events: Sequence[Event], reason: str, about: str, *, kind: str | None = "Warning") -> list[Event]:
    """Newest first."""
    names = {"StatefulSet": NAME, "Pod": POD, "PersistentVolumeClaim": CLAIM}
    found = [
        event
        for event in events
        if event.reason == reason
        and event.involvedObject.kind == about
        and event.involvedObject.name == names[about]
        and kind in (None, event.type)
    ]
    return found[::-1]


def _words(event: Event) -> str:
    words = (event.message or "").strip()
    # "create Pod gateway-0 in StatefulSet gateway failed error: ..." says where; the reason comes after it.
    return words.split("failed error: ", 1)[-1][:600]
