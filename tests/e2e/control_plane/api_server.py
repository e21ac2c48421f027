"""A real kube-apiserver with its etcd, started as a control plane of ours starts it; nothing else of a cluster.

The programs are those of the test cluster (built where they are missing); it can run beside that cluster.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console

from clawstack.k3s import NodeSettings
from clawstack.k3s.hardening import ADMISSION, AUDIT_LOG, AUDIT_POLICY
from tests.unit.k3s.test_k3s_user_data import file, k3s
from tests.waiting import patient
from toolchain.cluster import builds, certificates, packages
from toolchain.cluster.components import Component, components
from toolchain.cluster.layout import Layout, Network, Ports
from toolchain.cluster.pins import KUBERNETES_BUILD
from toolchain.cluster.probes import answers, log_end
from toolchain.cluster.programs import programs
from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import Board

_SECONDS: Final = 60
_CONTROLLERS: Final = "kube-controller-manager"


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """What a test's kubectl needs, and where the records lie."""

    kubectl: Path
    kubeconfig: Path
    audit_log: Path
    address: str

    def __call__(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """What kubectl prints; its complaint too where it may fail."""
        command = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
        answer = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=patient(60))
        assert not check or answer.returncode == 0, f"kubectl {' '.join(arguments)}: {answer.stderr}"
        return answer.stdout if answer.returncode == 0 else answer.stdout + answer.stderr

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Put objects into it."""
        self("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(map(dict, objects)))


@contextmanager
def serving(folder: Path, node: NodeSettings, *, controllers: bool = False) -> Iterator[ApiServer]:
    """A fresh API server with the files and arguments that `node` would get from its user data.

    `controllers`: with what ends namespaces, makes accounts and pods; nothing runs them.
    """
    around = Surroundings.read()
    packages.ensure(around, Board(Console(stderr=True)))
    builds.ensure_build(around, Board(Console(stderr=True)), KUBERNETES_BUILD)
    layout = Layout(run="api-only", data=folder, network=Network(whole="127.0.0.0/16"), ports=_free_ports())
    for place in (layout.configs, layout.logs):
        place.mkdir()
    certificates.write_all(layout)
    found = programs(around)
    parts = {part.name: part for part in components(layout, found)}
    audit_log = folder / "audit.log"
    with ExitStack() as stack:
        stack.enter_context(_running(layout, parts["etcd"], parts["etcd"].command))
        command = (*_plain(parts["kube-apiserver"].command), *_ours(folder, node, audit_log))
        stack.enter_context(_running(layout, parts["kube-apiserver"], command))
        if controllers:
            stack.enter_context(_running(layout, parts[_CONTROLLERS], parts[_CONTROLLERS].command))
        yield ApiServer(
            kubectl=found.kubectl,
            kubeconfig=layout.admin_kubeconfig,
            audit_log=audit_log,
            address=f"127.0.0.1:{layout.ports.api}",
        )


def _ours(folder: Path, node: NodeSettings, audit_log: Path) -> list[str]:
    """The arguments of K3s' configuration, with the files below the test's folder."""
    places = {ADMISSION: folder / "admission.yaml", AUDIT_POLICY: folder / "audit-policy.yaml", AUDIT_LOG: audit_log}
    for path in (ADMISSION, AUDIT_POLICY):
        places[path].write_text(file(node, path))
    arguments: list[str] = k3s(node)["kube-apiserver-arg"]
    for path, place in places.items():
        arguments = [argument.replace(path, str(place)) for argument in arguments]
    return [f"--{argument}" for argument in arguments]


def _plain(command: tuple[str, ...]) -> list[str]:
    """Without what the test cluster says about the same matters, and without addresses that only a node has."""
    said = ("--enable-admission-plugins", "--profiling", "--advertise-address", "--service-cluster-ip-range")
    return [*(word for word in command if not word.startswith(said)), "--service-cluster-ip-range=10.215.0.0/24"]


@contextmanager
def _running(layout: Layout, component: Component, command: tuple[str, ...]) -> Iterator[None]:
    log = layout.logs / f"{component.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + patient(_SECONDS)
        while not answers(layout, component.probe):
            assert process.poll() is None, f"{component.name} ended:\n{log_end(log)}"
            assert time.monotonic() < deadline, f"{component.name} does not answer:\n{log_end(log)}"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(patient(20))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(patient(10))


def _free_ports() -> Ports:
    with ExitStack() as stack:
        names = [entry.name for entry in fields(Ports)]
        listeners = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in names]
        return Ports(**{name: listener.getsockname()[1] for name, listener in zip(names, listeners, strict=True)})
