"""The one Kubernetes of a test session. Import `test_cluster` into a conftest to have the fixture."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import yaml
from rich.console import Console

from tests.waiting import patient, until
from toolchain.cluster.lifecycle import attach, start, stop
from toolchain.cluster.running import TestCluster

T = TypeVar("T")


def open_cluster() -> tuple[TestCluster, bool]:
    """The cluster that `cluster start` left running, else a new one; and whether it is ours to stop."""
    if os.geteuid() != 0:
        pytest.skip("a test cluster needs root: node, packet filter and control groups are the machine's")
    running = attach()
    return (running, False) if running else (start(console=Console(stderr=True)), True)


@pytest.fixture(scope="session")
def test_cluster() -> Iterator[TestCluster]:
    """Started once per session (built first where needed); stopped at the end unless it ran before."""
    cluster, ours = open_cluster()
    yield cluster
    if ours:
        stop()


@dataclass(frozen=True, kw_only=True)
class Hand:
    """kubectl as administrator, for tests."""

    cluster: TestCluster

    def __call__(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """What kubectl prints; an assertion with its complaint where it fails."""
        command = [str(self.cluster.kubectl), f"--kubeconfig={self.cluster.kubeconfig}", *arguments]
        answer = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=patient(120))
        assert not check or answer.returncode == 0, f"kubectl {' '.join(arguments)}: {answer.stderr}"
        return answer.stdout if answer.returncode == 0 else answer.stdout + answer.stderr

    def apply(self, *objects: dict[str, Any]) -> None:
        """Put objects into the cluster."""
        self("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(objects))

    def get(self, *arguments: str) -> dict[str, Any] | None:
        """An object as the server shows it, None where there is none."""
        answer = self("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(answer) if answer.strip() else None

    def await_(self, condition: Callable[[], T | None], what: str, *, seconds: float = 60) -> T:
        """The first answer of the condition that is true."""
        return until(condition, what, seconds=seconds, pause=0.1)

    def await_phase(self, namespace: str, pod: str, phase: str, *, seconds: float = 60) -> dict[str, Any]:
        """The pod, once it is in that phase."""

        def reached() -> dict[str, Any] | None:
            seen = self.get("pod", pod, "-n", namespace)
            now = seen["status"]["phase"] if seen else ""
            assert now != "Failed" or phase == "Failed", self("logs", pod, "-n", namespace, check=False)
            return seen if now == phase else None

        try:
            return self.await_(reached, f"pod {pod} {phase}", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self('describe', 'pod', pod, '-n', namespace)}") from None
