"""When a namespace that is being deleted is called stuck, and what people are told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lightkube.resources.core_v1 import Namespace

from clawstack.errors import TemporaryError
from services.cells.substrates.namespace.ending import held_by, obstacle

NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
WORDS = {
    "NamespaceDeletionDiscoveryFailure": "Discovery failed for some groups, 1 failing: metrics.k8s.io/v1beta1",
    "NamespaceDeletionContentFailure": 'Failed to delete all resource types, 1 remaining: admission webhook "x" denied',
    "NamespaceContentRemaining": "Some resources are remaining: persistentvolumeclaims. has 1 resource instances",
    "NamespaceFinalizersRemaining": "Some content has finalizers remaining: x.test/hold in 1 resource instances",
}


def namespace(*kinds: str, age: float | None = 5, holds: str = "True") -> Namespace:
    """As the API server shows it; `age`: seconds since its deletion was asked for."""
    metadata = {"name": "cell-anna", "uid": "1"}
    if age is not None:
        metadata["deletionTimestamp"] = (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    others = [{"type": kind, "status": "False", "message": "All is well"} for kind in WORDS if kind not in kinds]
    conditions = others + [{"type": kind, "status": holds, "message": WORDS[kind]} for kind in kinds]
    document = {"metadata": metadata, "spec": {"finalizers": ["kubernetes"]}, "status": {"conditions": conditions}}
    made: Namespace = Namespace.from_dict(document)  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (namespace("NamespaceDeletionDiscoveryFailure"), "kubectl get apiservices"),
        (namespace("NamespaceDeletionContentFailure"), "webhook"),
        (namespace("NamespaceFinalizersRemaining", "NamespaceContentRemaining", age=90), "controller that set"),
        (namespace("NamespaceContentRemaining", age=90), "tried again"),
    ],
)
def test_a_stuck_namespace_is_temporary_with_its_own_words_and_a_remedy(found: Namespace, words: str) -> None:
    stuck = obstacle(found, now=NOW)
    assert isinstance(stuck, TemporaryError)
    assert (stuck.code, stuck.retry_after) == ("namespace_stuck", 60)
    assert held_by(found) in stuck.message
    assert "All is well" not in stuck.message
    assert words in (stuck.remedy or "")


@pytest.mark.parametrize(
    "found",
    [
        namespace(age=600),
        namespace("NamespaceContentRemaining", "NamespaceFinalizersRemaining", age=59),
        namespace("NamespaceDeletionDiscoveryFailure", age=None),
        namespace("NamespaceDeletionDiscoveryFailure", holds="False", age=600),
    ],
    ids=["nothing named", "pods are ending", "not being deleted", "mended"],
)
def test_one_that_ends_by_itself_is_no_obstacle(found: Namespace) -> None:
    assert obstacle(found, now=NOW) is None
