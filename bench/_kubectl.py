"""The rival: `kubectl` with the same manifests, a process per cell, as many at once as the platform's worker has slots."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import _manifests
from bench._control_plane import ControlPlane
from bench._provision_table import Rival
from clawstack.errors import NeedsAttentionError
from clawstack.naming import namespace_name
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec


@dataclass(frozen=True, kw_only=True)
class _Run:
    seconds: float
    peak: int


class Kubectl:
    """Applies, changes and deletes numbered cells."""

    def __init__(
        self, plane: ControlPlane, settings: NamespaceSettings, *, folder: Path, at_once: int, seconds: int
    ) -> None:
        """`seconds`: the longest that one process may take."""
        self._plane = plane
        self._settings = settings
        self._folder = folder
        self._at_once = at_once
        self._seconds = seconds
        self._specs: dict[int, CellSpec] = {}

    def grow(self, cells: Sequence[int]) -> None:
        """All of them in one process; not measured."""
        if cells:
            files = [word for cell in cells for word in ("-f", str(self._file(cell, edition="first")))]
            self._plane("apply", "--server-side", *files)
            self._ready()

    def provision(self, cells: Sequence[int]) -> Rival:
        """First applies of so many cells, until their pods are ready."""
        return self._measured(self._applies(cells, edition="first"), self._ready)

    def update(self, cells: Sequence[int]) -> Rival:
        """Another model each."""
        return self._measured(self._applies(cells, edition="second"), lambda: None)

    def destroy(self, cells: Sequence[int]) -> Rival:
        """Stop their gateways, then delete their namespaces and wait for it.

        With the pods still there a namespace would vanish only after half of their grace period, almost three minutes.
        """
        patience = f"--timeout={self._seconds}s"

        def commands(cell: int) -> list[list[str]]:
            namespace = namespace_name(_slug(cell))
            return [
                ["scale", "statefulset/gateway", "--replicas=0", "--namespace", namespace],
                ["wait", "--for=delete", "pod/gateway-0", "--namespace", namespace, patience],
                ["delete", "namespace", namespace, patience],
            ]

        return self._measured([commands(cell) for cell in cells], lambda: None)

    def _applies(self, cells: Sequence[int], *, edition: str) -> list[list[list[str]]]:
        patience = f"--request-timeout={self._seconds}s"
        files = [self._file(cell, edition=edition) for cell in cells]
        return [[["apply", "--server-side", patience, "-f", str(file)]] for file in files]

    def _file(self, cell: int, *, edition: str) -> Path:
        address, port = self._settings.proxy.peer.addresses[0], self._settings.proxy.ports[0]
        spec = self._specs.setdefault(cell, _manifests.spec(_slug(cell), address=f"http://{address}:{port}"))
        if edition == "second":
            other = next(model for model in spec.models.allowed if model != spec.models.primary)
            spec = spec.model_copy(update={"models": spec.models.model_copy(update={"primary": other})})
        return _manifests.write(self._folder, spec, self._settings, edition=edition)

    def _ready(self) -> None:
        everywhere = ("statefulsets", "--all", "--all-namespaces", f"--timeout={self._seconds}s")
        self._plane("wait", "--for=jsonpath={.status.readyReplicas}=1", *everywhere)

    def _measured(self, cells: Sequence[Sequence[Sequence[str]]], settle: Callable[[], None]) -> Rival:
        began = time.monotonic()
        with ThreadPoolExecutor(self._at_once) as pool:
            runs = list(pool.map(self._run_all, cells))
        wall = time.monotonic() - began
        settle()
        return Rival(
            count=len(runs),
            wall=wall,
            settled=time.monotonic() - began,
            cpu=sum(run.seconds for run in runs),
            peak=max(run.peak for run in runs),
        )

    def _run_all(self, commands: Sequence[Sequence[str]]) -> _Run:
        runs = [self._run(arguments) for arguments in commands]
        return _Run(seconds=sum(run.seconds for run in runs), peak=max(run.peak for run in runs))

    def _run(self, arguments: Sequence[str]) -> _Run:
        log = self._folder / f"kubectl-{time.monotonic_ns()}.log"
        with log.open("w") as output:
            process = subprocess.Popen(  # noqa: S603 - the cluster's own program
                self._plane.command(*arguments), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        # Waited for here, since only this call tells what one child used.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise NeedsAttentionError(f"kubectl {arguments[0]} failed: {log.read_text()[-600:]}")
        return _Run(seconds=used.ru_utime + used.ru_stime, peak=used.ru_maxrss * 1024)


def _slug(cell: int) -> str:
    return f"rival-{cell:04}"
