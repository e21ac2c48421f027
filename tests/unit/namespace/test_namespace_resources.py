"""What a running gateway can take over, and what takes a new pod."""

from __future__ import annotations

from typing import Any

import pytest

from services.cells.substrates.namespace.resources import (
    has_resources,
    needs_new_pod,
    resize_obstacle,
    smaller_than,
    wanted_resize,
)
from tenants.namespace.plan import NamespacePlan
from tests.unit.namespace.builders import cell, document, plan_of
from tests.unit.namespace.documents import RESOURCES, RUNNING, claim, pod, stateful_set

LARGER = {"requests": {"cpu": "100m", "memory": "1024Mi"}, "limits": {"cpu": "2000m", "memory": "2048Mi"}}
SMALLER = {"requests": {"cpu": "100m", "memory": "768Mi"}, "limits": {"cpu": "1000m", "memory": "1000Mi"}}


def digest(plan: NamespacePlan) -> str:
    annotations: dict[str, str] = document(plan, "StatefulSet")["spec"]["template"]["metadata"]["annotations"]
    return annotations["clawstack.dev/restart-digest"]


def test_the_same_digest_and_resources_need_nothing() -> None:
    spelled_otherwise = {"requests": {"cpu": "0.1", "memory": "1024Mi"}, "limits": {"cpu": "1000m", "memory": "1536Mi"}}
    template = stateful_set(resources=spelled_otherwise)

    assert needs_new_pod(pod(RUNNING), template) is None
    assert wanted_resize(pod(RUNNING), template) is None


def test_another_digest_needs_a_new_pod() -> None:
    assert needs_new_pod(pod(RUNNING, digest="old"), stateful_set(digest="new"))


def test_a_larger_plan_is_a_resize_of_the_running_pod() -> None:
    template = stateful_set(resources={**LARGER, "limits": {**LARGER["limits"], "ephemeral-storage": "1Gi"}})

    assert needs_new_pod(pod(RUNNING), template) is None
    assert wanted_resize(pod(RUNNING), template) == LARGER


def test_a_plan_that_is_too_small_for_the_running_heap_needs_a_new_pod() -> None:
    assert needs_new_pod(pod(RUNNING, heap=768), stateful_set(resources=SMALLER))
    assert needs_new_pod(pod(RUNNING, heap=700), stateful_set(resources=SMALLER)) is None


def test_a_resize_counts_once_the_node_made_it() -> None:
    assert has_resources(pod(RUNNING), RESOURCES)
    assert not has_resources(pod(RUNNING), LARGER)


@pytest.mark.parametrize(
    ("condition", "blocked"),
    [
        ({"type": "PodResizePending", "status": "True", "reason": "Infeasible", "message": "Node didn't have enough capacity"}, True),
        ({"type": "PodResizeInProgress", "status": "True", "reason": "Error", "message": "usage above limit"}, True),
        ({"type": "PodResizeInProgress", "status": "True"}, False),
        ({"type": "Ready", "status": "True"}, False),
    ],
)  # fmt: skip
def test_what_keeps_a_resize_from_happening_is_told(condition: dict[str, Any], blocked: bool) -> None:
    assert (resize_obstacle(pod(RUNNING, conditions=[condition])) is not None) is blocked


@pytest.mark.parametrize(("storage", "smaller"), [("2Gi", True), ("2048Mi", True), ("5Gi", False), ("10Gi", False)])
def test_a_claim_only_ever_grows(storage: str, smaller: bool) -> None:
    assert smaller_than(claim(storage=storage), 5120) is smaller


def test_kubernetes_never_replaces_the_pod_by_itself() -> None:
    assert document(plan_of(), "StatefulSet")["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_another_plan_keeps_the_digest() -> None:
    models = {"models": {"primary": "gpt-5-mini", "allowed": ["gpt-5-mini"]}}

    assert digest(plan_of(cell("starter", **models))) == digest(plan_of(cell("business", **models)))


@pytest.mark.parametrize(
    "settings",
    [
        {"image": "ghcr.io/openclaw/openclaw:2026.9.7@sha256:" + "cd" * 32},
        {"runtime_class": "gvisor"},
        {"openclaw": "/opt/openclaw.mjs"},
    ],
)
def test_what_only_a_new_pod_can_have_changes_the_digest(settings: dict[str, Any]) -> None:
    assert digest(plan_of(**settings)) != digest(plan_of())
