"""A real node and a namespace of each test's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.e2e.cluster_fixture import Hand, test_cluster
from toolchain.cluster.running import TestCluster

__all__ = ["test_cluster"]

_NUMBERS = itertools.count(1)


@pytest.fixture
def kubectl(test_cluster: TestCluster) -> Hand:
    return Hand(cluster=test_cluster)


@pytest.fixture
def namespace(kubectl: Hand) -> Iterator[str]:
    """With pods held to the strictest standard, as tenants' are."""
    name = f"test-{next(_NUMBERS)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    kubectl.await_(lambda: kubectl.get("serviceaccount", "default", "-n", name), "the namespace's account")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
