"""What cannot work is refused before anything is rendered, with value and remedy; releases have a checksum or no way."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from clawstack.errors import InvalidInputError
from clawstack.k3s import Architecture, K3sRelease, pinned_release, user_data
from tests.unit.k3s.clusters import AGENT_TOKEN, THREE, TOKEN, cluster, large_cluster, node, worker


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control_planes": ("10.0.1.1", "10.0.1.2")}, "use 1 or 3"),
        ({"control_planes": ()}, "use 1 or 3"),
        ({"control_planes": tuple(f"10.0.1.{number}" for number in range(1, 6))}, "use 1 or 3"),
        ({"control_planes": ("10.0.1.1", "10.0.1.1", "10.0.1.2")}, "twice"),
        ({"control_planes": ("203.0.113.9",)}, "private network"),
        ({"control_planes": ("169.254.169.254",)}, "private network"),
        ({"control_planes": ("10.42.0.3",)}, "pods' or services'"),
        ({"service_network": "10.42.128.0/17"}, "overlap"),
        ({"pod_network": "10.42.0.1/16"}, "not an IPv4 network"),
        ({"pod_network": "8.8.0.0/16"}, "not a private network"),
        ({"api_sans": ("a b",)}, "api_sans"),
        ({"pod_traffic": "none"}, "wireguard-native"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_clusters_that_could_not_work_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        cluster(**changes)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"private_address": "10.0.1.99"}, "not among the cluster's control planes"),
        ({"role": "worker", "first": False}, "control plane's address"),
        ({"labels": {"node-role.kubernetes.io/worker": "true"}}, "the API would refuse it"),
        ({"labels": {"kubernetes.io/anything": "x"}}, "the API would refuse it"),
        ({"labels": {"a b": "x"}}, "labels"),
        ({"name": "Has Spaces"}, "name"),
        ({"name": None}, "or neither"),
        ({"name": None, "private_address": None}, "only workers"),
        ({"arch": "riscv"}, "arch"),
    ],
)
def test_nodes_that_could_not_join_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        node(**changes)
    assert words in str(refused.value)


def test_only_the_first_address_belongs_to_the_first_node() -> None:
    with pytest.raises(ValidationError, match="comes first"):
        node(cluster=large_cluster(), private_address=THREE[1])
    with pytest.raises(ValidationError, match="comes first"):
        worker(first=True)


def test_labels_that_a_kubelet_may_give_itself_are_taken() -> None:
    assert node(labels={"node.kubernetes.io/purpose": "tenants", "clawstack.dev/pool": "a"}).labels


def test_snapshots_say_where_the_token_is_kept() -> None:
    without = {"endpoint": "s3.example.org", "bucket": "etcd", "region": "eu"}
    with pytest.raises(ValidationError, match="tokenEscrow"):
        cluster(snapshots=without)


def test_the_pinned_release_has_both_architectures_and_tells_where_its_numbers_come_from() -> None:
    release = pinned_release()
    assert len({release.checksum(architecture) for architecture in Architecture}) == 2
    assert release.taken <= date(2026, 11, 21)
    assert release.version.replace("+", "%2B") in release.source


def test_a_release_without_a_checksum_is_never_installed() -> None:
    release = K3sRelease(
        version="v1.37.1+k3s1", taken=date(2026, 11, 21), source="the official release", sha256={"amd64": "ab" * 32}
    )
    assert release.checksum(Architecture.X86) == "ab" * 32
    arm = worker(arch="arm", cluster=large_cluster(release=release))
    with pytest.raises(InvalidInputError, match="not for arm64") as refused:
        user_data(arm, token=TOKEN, agent_token=AGENT_TOKEN)
    assert "sha256sum-arm64.txt" in str(refused.value.remedy)


@pytest.mark.parametrize("checksum", ["", "0" * 63, "G" * 64, "AB" * 32])
def test_a_checksum_is_64_hexadecimal_digits(checksum: str) -> None:
    with pytest.raises(ValidationError):
        K3sRelease(
            version="v1.37.1+k3s1", taken=date(2026, 11, 21), source="the official release", sha256={"amd64": checksum}
        )


def test_a_mirror_holds_the_same_files() -> None:
    release = pinned_release().model_copy(update={"mirror": "https://mirror.example.org/k3s"})
    assert release.url(Architecture.ARM) == "https://mirror.example.org/k3s/v1.36.3%2Bk3s1/k3s-arm64"
