"""Why a cell does not work, from what the API server says: the table of reasons."""

from __future__ import annotations

from typing import Any

import pytest

from services.cells.substrates.namespace.judge import Phase, View, gateway_began, is_stuck, judge, talker
from tests.unit.namespace.documents import (
    EXIT_78,
    IMAGE,
    OOM,
    RUNNING,
    claim,
    condition,
    event,
    node,
    pod,
    stateful_set,
    waiting,
)

QUOTA = (
    'create Pod gateway-0 in StatefulSet gateway failed error: pods "gateway-0" is forbidden: exceeded quota: quota, '
    "requested: limits.memory=1536Mi, used: limits.memory=0, limited: limits.memory=64Mi"
)
LIMIT = (
    'create Pod gateway-0 in StatefulSet gateway failed error: pods "gateway-0" is forbidden: maximum memory usage per '
    "Container is 1Gi, but limit is 1536Mi"
)
SECURITY = (
    'create Pod gateway-0 in StatefulSet gateway failed error: pods "gateway-0" is forbidden: violates PodSecurity '
    '"restricted:latest": privileged'
)
#: As kube-controller-manager leaves a pod whose node it counts as lost (`MarkPodsNotReady` in its `util/node`):
#: all that the kubelet said stays, the containers' word and `ContainersReady` too.
LOST = pod(
    {"running": {"startedAt": "2026-11-21T10:00:00Z"}},
    ready=True,
    conditions=[condition("PodReadyToStartContainers", True), condition("Initialized", True), condition("Ready", False),
                condition("ContainersReady", True), condition("PodScheduled", True)],
)  # fmt: skip
NO_ROOM = "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available."
NO_CLASS = 'storageclass.storage.k8s.io "fast" not found'
UNPLACED = pod(
    node=None, conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_ROOM}]
)


@pytest.mark.parametrize(
    ("view", "phase", "code", "final", "words"),
    [
        (View(stateful_set=None, pod=None), Phase.STOPPED, "cell_absent", False, "no gateway"),
        (View(stateful_set=stateful_set(replicas=0), pod=None), Phase.STOPPED, "", False, "volume is kept"),
        (View(stateful_set=stateful_set(), pod=None), Phase.ABSENT, "gateway_not_ready", False, "not there yet"),
        (View(stateful_set=stateful_set(), pod=None, events=[event("FailedCreate", QUOTA)]), Phase.ABSENT, "quota_exceeded", True, "limits.memory=64Mi"),
        (View(stateful_set=stateful_set(), pod=None, events=[event("FailedCreate", LIMIT)]), Phase.ABSENT, "quota_exceeded", True, "maximum memory usage"),
        (View(stateful_set=stateful_set(), pod=None, events=[event("FailedCreate", SECURITY)]), Phase.ABSENT, "pod_refused", True, "violates PodSecurity"),
        (View(stateful_set=stateful_set(), pod=UNPLACED, claim=claim()), Phase.UNPLACED, "unschedulable", False, NO_ROOM),
        (View(stateful_set=stateful_set(), pod=UNPLACED, claim=claim(phase="Pending"), events=[event("ProvisioningFailed", NO_CLASS, kind="PersistentVolumeClaim", name="state")]), Phase.UNPLACED, "volume_not_bound", True, NO_CLASS),
        (View(stateful_set=stateful_set(), pod=UNPLACED, claim=claim(phase="Pending"), events=[event("ProvisioningFailed", "disk quota of the project", kind="PersistentVolumeClaim", name="state")]), Phase.UNPLACED, "volume_not_bound", False, "disk quota of the project"),
        (View(stateful_set=stateful_set(), pod=pod()), Phase.PULLING, "gateway_not_ready", False, "node-1"),
        (View(stateful_set=stateful_set(), pod=pod(), events=[event("FailedMount", "timed out waiting for the volume", kind="Pod", name="gateway-0")]), Phase.PULLING, "gateway_not_ready", False, "timed out waiting"),
        (View(stateful_set=stateful_set(), pod=pod(seed=waiting("ErrImageNeverPull", "not present with pull policy of Never"))), Phase.BROKEN, "image_pull_failed", True, IMAGE),
        (View(stateful_set=stateful_set(), pod=pod(waiting("ImagePullBackOff", "manifest unknown"))), Phase.BROKEN, "image_pull_failed", True, "manifest unknown"),
        (View(stateful_set=stateful_set(), pod=pod(waiting("CreateContainerConfigError", 'secret "tokens" not found'))), Phase.BROKEN, "pod_refused", False, "tokens"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING)), Phase.STARTING, "gateway_not_ready", False, "starting"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING, ready=True)), Phase.READY, "", False, "ready"),
        (View(stateful_set=stateful_set(), pod=pod(EXIT_78)), Phase.BROKEN, "gateway_refused_config", True, "78"),
        (View(stateful_set=stateful_set(), pod=pod(waiting("CrashLoopBackOff"), last=EXIT_78, restarts=3)), Phase.BROKEN, "gateway_refused_config", True, "78"),
        (View(stateful_set=stateful_set(), pod=pod(waiting("CrashLoopBackOff"), last=OOM, restarts=3)), Phase.BROKEN, "gateway_not_ready", False, "OOMKilled"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING, last=EXIT_78, restarts=1)), Phase.STARTING, "gateway_not_ready", False, "starting"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING, deleted=True)), Phase.STOPPING, "gateway_still_stopping", False, "finishing its turns"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING, deleted=True), node=node(ready="Unknown")), Phase.STOPPING, "node_gone", False, "nobody knows"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING), node=node(ready="Unknown")), Phase.BROKEN, "node_gone", False, "Kubelet stopped posting"),
        (View(stateful_set=stateful_set(), pod=LOST, node=node(ready="Unknown")), Phase.BROKEN, "node_gone", False, "Kubelet stopped posting"),
        (View(stateful_set=stateful_set(), pod=LOST), Phase.STARTING, "gateway_not_ready", False, "its node may not answer"),
        (View(stateful_set=stateful_set(), pod=pod(RUNNING), node=node()), Phase.STARTING, "gateway_not_ready", False, "starting"),
        (View(stateful_set=stateful_set(), pod=pod(phase="Failed", reason="Evicted")), Phase.ABSENT, "gateway_not_ready", False, "Evicted"),
    ],
)  # fmt: skip
def test_every_trouble_has_its_own_reason(view: View, phase: Phase, code: str, final: bool, words: str) -> None:
    verdict = judge(view)

    assert (verdict.phase, verdict.code, verdict.final) == (phase, code, final)
    assert words in verdict.sentence
    if final:
        assert verdict.remedy


def test_a_quota_that_was_in_the_way_is_told_without_where_kubernetes_found_it() -> None:
    verdict = judge(View(stateful_set=stateful_set(), pod=None, events=[event("FailedCreate", QUOTA)]))

    assert "create Pod gateway-0 in StatefulSet" not in verdict.sentence


def test_events_about_other_objects_are_no_reason() -> None:
    others = [event("FailedCreate", QUOTA, name="other"), event("FailedCreate", QUOTA, severity="Normal")]

    assert judge(View(stateful_set=stateful_set(), pod=None, events=others)).code == "gateway_not_ready"


@pytest.mark.parametrize(("restarts", "at_once"), [(1, False), (2, True)])
def test_one_crash_may_be_chance(restarts: int, at_once: bool) -> None:
    verdict = judge(
        View(stateful_set=stateful_set(), pod=pod(waiting("CrashLoopBackOff"), last=OOM, restarts=restarts))
    )

    assert (verdict.patience == 0) is at_once


def test_a_preparation_that_fails_is_told_by_its_own_restarts_and_lines() -> None:
    crashing = pod(seed={**waiting("CrashLoopBackOff")}, seed_restarts=3)

    verdict = judge(View(stateful_set=stateful_set(), pod=crashing))

    assert "seed" in verdict.sentence
    assert "3 restarts" in verdict.sentence
    assert verdict.patience == 0
    assert (talker(crashing), talker(pod(RUNNING))) == ("seed", "gateway")


def test_a_registry_may_stumble_but_an_image_that_is_never_pulled_does_not_come() -> None:
    def patience(reason: str) -> float | None:
        return judge(View(stateful_set=stateful_set(), pod=pod(waiting(reason)))).patience

    assert patience("ErrImageNeverPull") == 0
    assert (patience("ErrImagePull") or 0) > 0


@pytest.mark.parametrize(
    ("state", "stuck"),
    [
        (waiting("CrashLoopBackOff"), True),
        (waiting("ImagePullBackOff"), True),
        (EXIT_78, True),
        (waiting("PodInitializing"), False),
        (RUNNING, False),
    ],
)
def test_only_what_kubernetes_puts_off_is_stuck(state: dict[str, Any], stuck: bool) -> None:
    assert is_stuck(pod(state)) is stuck


@pytest.mark.parametrize(
    ("made", "began"),
    [
        (pod(), False),
        (pod(waiting("ImagePullBackOff")), False),
        (pod(RUNNING), True),
        (pod(waiting("CrashLoopBackOff"), last=OOM, restarts=1), True),
        (pod(EXIT_78), True),
    ],
)
def test_a_gateway_that_was_ever_started_may_have_written(made: Any, began: bool) -> None:
    assert gateway_began(made) is began
