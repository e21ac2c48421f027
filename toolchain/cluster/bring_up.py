"""From an empty folder to a node that takes pods, in the one order that works."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster import certificates, configs, image_store, machine, manifests, processes
from toolchain.cluster.calls import Calls
from toolchain.cluster.components import Programs, components
from toolchain.cluster.layout import NODE_NAME, Layout
from toolchain.cluster.probes import await_component
from toolchain.cluster.record import Book
from toolchain.cluster.running import launch

_API: Final = "kube-apiserver"
_FIRST: Final = ("etcd", _API, "containerd")
_NODE_SECONDS: Final = 90
_SHOWN: Final = 3000


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What is on this machine already."""

    programs: Programs
    cni_binaries: Path
    image_store: Path
    helper_image: str


def bring_up(book: Book, layout: Layout, ingredients: Ingredients, tell: Callable[[str], None]) -> None:
    """Start everything and wait until pods can be scheduled.

    Raises NeedsAttentionError with the end of the log of what does not come up.
    """
    calls = Calls(layout=layout, programs=ingredients.programs)
    machine.prepare(layout)
    _write_files(layout, ingredients)
    tell("starting the control plane")
    everything = [component.name for component in components(layout, ingredients.programs)]
    with ThreadPoolExecutor(1) as pool:
        linking = pool.submit(image_store.take_over, ingredients.image_store, layout.containerd_root)
        _start(book, layout, ingredients.programs, ("etcd",))
        _start(book, layout, ingredients.programs, (_API,))
        calls.apply(manifests.bootstrap(layout, helper_image=ingredients.helper_image))
        linking.result()
    _start(book, layout, ingredients.programs, ("containerd",))
    _start(book, layout, ingredients.programs, tuple(name for name in everything if name not in _FIRST))
    tell("waiting for the node")
    _await_node(calls)


def _write_files(layout: Layout, ingredients: Ingredients) -> None:
    for folder in (layout.configs, layout.logs, layout.volumes):
        folder.mkdir()
    certificates.write_all(layout)
    configs.write_all(layout, cni_binaries=ingredients.cni_binaries)


def _start(book: Book, layout: Layout, programs: Programs, names: tuple[str, ...]) -> None:
    """All at once; then wait for each."""
    parts = [component for component in components(layout, programs) if component.name in names]
    started = [(component, launch(book, layout, component)) for component in parts]
    for component, process in started:
        await_component(layout, component, process)


def _await_node(calls: Calls) -> None:
    def ready() -> bool:
        nodes = calls.get("nodes")["items"]
        conditions = [each for node in nodes for each in node["status"].get("conditions", [])]
        ready_nodes = [each for each in conditions if each["type"] == "Ready" and each["status"] == "True"]
        # Pods are refused until the namespace has its account.
        return bool(ready_nodes) and bool(calls.get("serviceaccounts")["items"])

    if not processes.await_(ready, seconds=_NODE_SECONDS):
        raise NeedsAttentionError(
            f"The test cluster's node was not ready within {_NODE_SECONDS} seconds:\n"
            + calls.kubectl("describe", "node", NODE_NAME)[-_SHOWN:],
            code="cluster_not_started",
            remedy=f"The kubelet's output is in {calls.layout.logs}/kubelet.log.",
        )
