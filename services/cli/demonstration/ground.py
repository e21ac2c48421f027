"""The place where a story's cells run, made ready: nothing to do for processes, a cluster for namespaces."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from clawstack.errors import NeedsAttentionError
from services.cli.demonstration.evidence import Evidence, NamespaceEvidence, ProcessEvidence
from services.cli.demonstration.world import World
from tenants.substrates.namespace import NAMESPACE
from toolchain.cluster import lifecycle
from toolchain.cluster.running import TestCluster


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A world that knows where its cells run, and how to see them there."""

    world: World
    evidence: Evidence


@contextmanager
def prepared(
    substrate: str, *, console: Console, keep: bool, overrides: Mapping[str, str] | None = None
) -> Iterator[Ground]:
    """A world for cells of `substrate`; its cluster, if it needed one, is stopped at the end unless it is to be kept.

    A cluster named by CLAWSTACK_KUBECONFIG (with CLAWSTACK_CLUSTER) is used in place of a new one, and left alone.
    """
    wanted = {**(overrides or {}), "CLAWSTACK_DEFAULT_SUBSTRATE": substrate}
    if substrate != NAMESPACE.name:
        world = World(overrides=wanted)
        yield Ground(world=world, evidence=ProcessEvidence(world=world))
        return
    if os.environ.get("CLAWSTACK_KUBECONFIG"):
        yield _on_given_cluster(wanted)
        return
    running = lifecycle.attach()
    cluster = running or lifecycle.start(stays=keep, console=console)
    try:
        yield on_test_cluster(cluster, wanted)
    finally:
        if running is None and not keep:
            lifecycle.stop()


def on_test_cluster(cluster: TestCluster, overrides: Mapping[str, str]) -> Ground:
    """A world whose platform listens where the pods of the test cluster reach it."""
    world = World(overrides=overrides, host=cluster.node_ip)
    world.set(test_cluster_settings(cluster, port=world.port))
    return Ground(world=world, evidence=NamespaceEvidence(kubectl=cluster.kubectl, kubeconfig=cluster.kubeconfig))


def test_cluster_settings(cluster: TestCluster, *, port: int) -> dict[str, str]:
    """Settings of a platform outside the test cluster, on `port` of its node."""
    here = {"addresses": [cluster.node_ip]}
    described = {
        "cluster": "test",
        "image": cluster.image,
        "image_pull_policy": "Never",
        "node": cluster.node,
        "openclaw": cluster.openclaw,
        "storage_class": cluster.storage_class,
        "proxy": {"peer": here, "ports": [port]},
        "router": {"peer": here, "ports": [port]},
        "platform": here,
    }
    return {
        "CLAWSTACK_KUBECONFIG": str(cluster.kubeconfig),
        # Telegram sends to HTTPS alone, but for its stand-in on loopback; this platform listens where pods reach it.
        "CLAWSTACK_TELEGRAM_INTAKE": "polling",
        "CLAWSTACK_CLUSTER": json.dumps(described),
        "CLAWSTACK_CLUSTER_PLATFORM_URL": f"http://{cluster.node_ip}:{port}",
    }


def _on_given_cluster(overrides: Mapping[str, str]) -> Ground:
    names = ("CLAWSTACK_KUBECONFIG", "CLAWSTACK_CLUSTER", "CLAWSTACK_CLUSTER_PLATFORM_URL")
    missing = [name for name in names if not os.environ.get(name)]
    kubectl = shutil.which("kubectl")
    if missing or kubectl is None:
        lacking = ", ".join(missing) or "kubectl"
        raise NeedsAttentionError(
            f"To tell the story on your own cluster, {lacking} is missing.",
            code="bad_settings",
            remedy="docs/operators.md shows the settings; without CLAWSTACK_KUBECONFIG a cluster is started here.",
        )
    url = os.environ["CLAWSTACK_CLUSTER_PLATFORM_URL"]
    host, _, port = url.removeprefix("http://").partition(":")
    world = World(overrides=overrides, host=host, port=int(port))
    world.set({**{name: os.environ[name] for name in names}, "CLAWSTACK_TELEGRAM_INTAKE": "polling"})
    return Ground(
        world=world,
        evidence=NamespaceEvidence(kubectl=Path(kubectl), kubeconfig=Path(os.environ["CLAWSTACK_KUBECONFIG"])),
    )
