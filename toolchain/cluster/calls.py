"""Calls of the cluster's own command-line programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import yaml

from clawstack.errors import NeedsAttentionError, TemporaryError
from toolchain.cluster.components import Programs
from toolchain.cluster.layout import Layout
from toolchain.cluster.manifests import Manifest
from toolchain.cluster.running import environment

_SECONDS: Final = 30.0
_IMPORT_SECONDS: Final = 300.0
_COMPLAINT: Final = 1500


@dataclass(frozen=True, kw_only=True)
class Calls:
    """kubectl as administrator, and ctr, with the environment of the cluster."""

    layout: Layout
    programs: Programs

    def kubectl(self, *arguments: str, text: str = "") -> str:
        """What kubectl prints. Raises NeedsAttentionError with its complaint."""
        command = (str(self.programs.kubectl), "--kubeconfig", str(self.layout.admin_kubeconfig), *arguments)
        return self._run(command, text=text, seconds=_SECONDS)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Objects as the server shows them."""
        answer: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return answer

    def apply(self, objects: Iterable[Manifest]) -> None:
        """Put objects into the cluster."""
        self.kubectl("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(objects))

    def ctr(self, *arguments: str) -> str:
        """Containerd's own command line, in the namespace that the kubelet uses."""
        address = ("--address", str(self.layout.containerd_socket), "--namespace", "k8s.io")
        return self._run((str(self.programs.ctr), *address, *arguments), seconds=_IMPORT_SECONDS)

    def _run(self, command: tuple[str, ...], *, text: str = "", seconds: float) -> str:
        shown = " ".join(command[:6])
        try:
            answer = subprocess.run(  # noqa: S603 - the cluster's own programs
                command,
                input=text,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
                env=environment(self.layout),
            )
        except subprocess.TimeoutExpired as error:
            raise TemporaryError(f"`{shown} ...` did not end within {seconds:.0f} seconds.") from error
        if answer.returncode:
            complaint = answer.stderr.strip()[-_COMPLAINT:]
            raise NeedsAttentionError(f"`{shown} ...` failed: {complaint}", code="cluster_call_failed")
        return answer.stdout
