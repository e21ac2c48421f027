"""A cluster that runs: what others need to know of it, and a hand on its processes for tests of faults."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clawstack.errors import InvalidInputError
from toolchain.cluster import processes
from toolchain.cluster.components import Component, Programs, components
from toolchain.cluster.contents import NODE_PATH, OPENCLAW_PATH
from toolchain.cluster.layout import MARK, NODE_NAME, STORAGE_CLASS, Layout
from toolchain.cluster.probes import await_component, log_file
from toolchain.cluster.record import Book


@dataclass(frozen=True, kw_only=True)
class TestCluster:
    """One running cluster of one node, this machine."""

    __test__: ClassVar[bool] = False  # the name is not that of a test

    layout: Layout
    programs: Programs
    book: Book
    image: str
    """OpenClaw's image, `name:tag@sha256:...`; pods use it with imagePullPolicy Never or IfNotPresent."""
    shell_image: str
    """A small image with a shell, for pods that tests make."""
    node: str = NODE_PATH
    openclaw: str = OPENCLAW_PATH
    """Places in the image."""
    storage_class: str = STORAGE_CLASS
    node_name: str = NODE_NAME

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; everything is embedded, so its content alone is enough."""
        return self.layout.admin_kubeconfig

    @property
    def kubectl(self) -> Path:
        """The matching command line."""
        return self.programs.kubectl

    @property
    def node_ip(self) -> str:
        """This machine as pods reach it: let a platform outside the cluster listen here (or on 0.0.0.0)."""
        return self.layout.network.node_ip

    @property
    def pids(self) -> dict[str, int]:
        """Number of each component's process, of those that run now."""
        record = self.book.read()
        known = record.processes if record else {}
        return {name: process.pid for name, process in known.items() if process.alive}

    def log(self, name: str) -> Path:
        """Where a component's output goes."""
        return log_file(self.layout, name)

    def kill(self, name: str) -> None:
        """End a component at once, as a crash would. It stays away until `restart`."""
        with self.book.turn():
            record = self.book.read()
            if record is None or name not in record.processes:
                self._component(name)  # says which there are
                return
            processes.stop([record.processes[name]], grace=0, first=signal.SIGKILL)

    def restart(self, name: str) -> None:
        """Start a component anew (after `kill`, or ending it first), and wait until it answers.

        Raises NeedsAttentionError with the end of its log when it does not come up.
        """
        component = self._component(name)
        with self.book.turn():
            record = self.book.read()
            if record and name in record.processes:
                processes.stop([record.processes[name]], grace=3)
            process = launch(self.book, self.layout, component)
        await_component(self.layout, component, process)

    def _component(self, name: str) -> Component:
        known = {component.name: component for component in components(self.layout, self.programs)}
        if name not in known:
            raise InvalidInputError(f"The test cluster has no component {name!r}; it has {', '.join(known)}.")
        return known[name]


def launch(book: Book, layout: Layout, component: Component) -> processes.Process:
    """Start a component's process and write it down."""
    process = processes.start(component.command, log=log_file(layout, component.name), environ=environment(layout))
    record = book.read()
    book.change(processes={**(record.processes if record else {}), component.name: process})
    return process


def environment(layout: Layout) -> dict[str, str]:
    """What every process of a cluster gets: no proxies, no settings of whoever started it."""
    path = os.pathsep.join(("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    return {"PATH": path, "HOME": str(layout.data), MARK: layout.run}
