"""A Kubernetes control plane with fake nodes: etcd, API server, controller manager, scheduler and KWOK.

Programs are those of the test cluster; ports, folder and processes are its own, so that it can run beside one. Needs no
root: nothing is changed on this machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console

from bench import _kwok
from clawstack.errors import NeedsAttentionError
from toolchain.cluster import builds, certificates, packages
from toolchain.cluster.components import Component, Probe, Programs, components
from toolchain.cluster.layout import MARK, NODE_NAME, Layout, Network, Ports
from toolchain.cluster.packages import ETCD
from toolchain.cluster.pins import KUBERNETES_BUILD, KWOK_BUILD
from toolchain.cluster.probes import answers, log_end, log_file
from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import Board

_START_SECONDS: Final = 90
_END_SECONDS: Final = 15
_PARTS: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_NODE_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """A running one."""

    kubectl: Path
    kubeconfig: Path
    pids: Mapping[str, int]
    """Number of each process, by its name."""

    def command(self, *arguments: str) -> list[str]:
        """Kubectl as administrator."""
        return [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]

    def __call__(self, *arguments: str, text: str | None = None) -> str:
        """What kubectl prints. Raises NeedsAttentionError with its complaint."""
        answer = subprocess.run(  # noqa: S603 - the cluster's own program
            self.command(*arguments), input=text, capture_output=True, text=True, check=False, timeout=300
        )
        if answer.returncode:
            raise NeedsAttentionError(f"kubectl {' '.join(arguments)}: {answer.stderr.strip()[-800:]}")
        return answer.stdout

    def apply(self, documents: Sequence[Mapping[str, Any]], *, status: bool = False) -> None:
        """Put objects into it."""
        part = ["--subresource=status"] if status else []
        self("apply", "--server-side", *part, "-f", "-", text=yaml.safe_dump_all(map(dict, documents)))


@contextmanager
def control_plane(*, cells: int) -> Iterator[ControlPlane]:
    """One with room for so many cells; it and all that it wrote are gone at the end."""
    around, board = Surroundings.read(), Board(Console(stderr=True))
    if ETCD.find(around) is None:
        packages.ensure(around, board)
    builds.ensure_build(around, board, KUBERNETES_BUILD)
    builds.ensure_kwok(around, board)
    folder = Path(tempfile.mkdtemp(prefix="claw-bench-cluster-", dir="/tmp"))
    try:
        layout = Layout(
            run=secrets.token_hex(8), data=folder, network=Network(whole="127.0.0.0/16"), ports=_free_ports()
        )
        with ExitStack() as stack:
            yield _started(stack, layout, around, cells=cells)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _kwok.remove_volumes()


def _started(stack: ExitStack, layout: Layout, around: Surroundings, *, cells: int) -> ControlPlane:
    for place in (layout.configs, layout.logs):
        place.mkdir()
    certificates.write_all(layout)
    kwok_config = _kwok.write_config(layout)
    binaries = KUBERNETES_BUILD.binaries(around)
    nowhere = Path("/nonexistent")  # parts of a node that this one has not
    found = Programs(
        kubernetes=binaries,
        coredns=nowhere,
        provisioner=nowhere,
        etcd=ETCD.require(around),
        containerd=nowhere,
        ctr=nowhere,
    )
    parts = {part.name: part for part in components(layout, found)}
    pids = {name: _run(stack, layout, parts[name], _adapted(parts[name])) for name in _PARTS}
    kwok = _kwok_component(layout, KWOK_BUILD.binaries(around) / "kwok", kwok_config)
    pids[kwok.name] = _run(stack, layout, kwok, kwok.command)
    plane = ControlPlane(kubectl=found.kubectl, kubeconfig=layout.admin_kubeconfig, pids=pids)
    made = _kwok.nodes(cells)
    plane.apply([_kwok.storage_class(), *made])
    plane.apply(made, status=True)
    plane("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_NODE_SECONDS}s")
    return plane


def _adapted(component: Component) -> tuple[str, ...]:
    """Without what only a node on this machine needs; addresses of Services may not be loopback."""
    unwanted = {
        "kube-apiserver": ("--advertise-address", "--service-cluster-ip-range"),
        "kube-controller-manager": ("--cluster-cidr", "--node-monitor-grace-period"),
    }.get(component.name, ())
    added = {
        # Debian's etcd cannot tell a watch's progress: clients that ask for streamed lists would try for half a minute
        # before they list. Told at once that there are none, they list at once.
        "kube-apiserver": ("--service-cluster-ip-range=10.215.0.0/24", "--feature-gates=WatchList=false"),
        # A crowded machine must not make fake nodes look dead.
        "kube-controller-manager": ("--enable-hostpath-provisioner=true", "--node-monitor-grace-period=10m"),
    }.get(component.name, ())
    return (*(word for word in component.command if not unwanted or not word.startswith(unwanted)), *added)


def _kwok_component(layout: Layout, program: Path, config: Path) -> Component:
    port = layout.ports.kubelet
    command = (
        str(program),
        f"--kubeconfig={layout.admin_kubeconfig}",
        f"--config={config}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--cidr=10.216.0.0/16",
        "--node-ip=127.0.0.1",
        f"--node-name={NODE_NAME}",
        f"--node-port={port}",
        f"--server-address=127.0.0.1:{port}",
        f"--tls-cert-file={layout.pki}/kubelet.crt",
        f"--tls-private-key-file={layout.pki}/kubelet.key",
    )
    return Component(name="kwok", command=command, probe=Probe(kind="https", port=port, path="/healthz"))


def _run(stack: ExitStack, layout: Layout, component: Component, command: Sequence[str]) -> int:
    log = log_file(layout, component.name)
    path = os.pathsep.join((str(_kwok.answers(layout)), "/usr/local/bin", "/usr/bin", "/bin"))
    environ = {"PATH": path, "HOME": str(layout.data), MARK: layout.run}
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - the cluster's own programs
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            start_new_session=True,  # Ctrl-C is for the bench alone
        )
    stack.callback(_end, process)
    deadline = time.monotonic() + _START_SECONDS
    while not answers(layout, component.probe):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NeedsAttentionError(f"{component.name} of the bench's control plane did not start:\n{log_end(log)}")
        time.sleep(0.1)
    return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    # Nothing in it is kept, so nobody is asked to finish.
    process.send_signal(signal.SIGKILL)
    process.wait(_END_SECONDS)


def _free_ports() -> Ports:
    with ExitStack() as stack:
        names = [entry.name for entry in fields(Ports)]
        listeners = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in names]
        return Ports(**{name: listener.getsockname()[1] for name, listener in zip(names, listeners, strict=True)})
