"""What shows that a cell is really there, or really gone: the process table, or the cluster's own word."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from typing_extensions import override

from clawstack.errors import PermanentError
from clawstack.naming import namespace_name
from services.cli.demonstration.observe import process_lives
from services.cli.demonstration.world import World, processes_below

Events = list[dict[str, Any]]


class Evidence(Protocol):
    """Looks at cells past the platform's own words. `mark` is what tells one run of a gateway from another."""

    def mark_of(self, slug: str, observed: dict[str, Any]) -> str:
        """What runs for the tenant; raises PermanentError when nothing does."""
        ...

    def require_gone(self, slug: str, mark: str) -> str:
        """What was seen to be gone; raises PermanentError naming what is left."""
        ...

    def gateway_seconds(self, slug: str, events: Events) -> float:
        """How long the gateway itself took to start."""
        ...


@dataclass(frozen=True, kw_only=True)
class ProcessEvidence(Evidence):
    """Cells as processes of this machine."""

    world: World

    @override
    def mark_of(self, slug: str, observed: dict[str, Any]) -> str:
        """The gateway's process."""
        pid, folder = int(observed["pid"]), self._folder(slug)
        if not process_lives(pid) or not folder.exists():
            raise PermanentError(f"The gateway of {slug} is not there: process {pid}, folder {folder}.")
        return f"process {pid}"

    @override
    def require_gone(self, slug: str, mark: str) -> str:
        """No process and no file."""
        folder, pid = self._folder(slug), int(mark.rsplit(" ", 1)[1])
        left = [*processes_below(folder), *([pid] if process_lives(pid) else [])]
        if left or folder.exists():
            raise PermanentError(f"Something was left behind: processes {left}, {folder} exists: {folder.exists()}.")
        return f"{mark} gone, {folder.name}/ gone"

    @override
    def gateway_seconds(self, slug: str, events: Events) -> float:
        """Seconds between "Creating gateway" and "Created gateway"."""
        times = {
            str(event["message"]).split(" ", 2)[0]: datetime.fromisoformat(event["created_at"])
            for event in events
            if " gateway " in str(event["message"])
        }
        if not {"Creating", "Created"} <= set(times):
            raise PermanentError(f"The operation's events do not tell how the gateway was made: {events}")
        return (times["Created"] - times["Creating"]).total_seconds()

    def _folder(self, slug: str) -> Path:
        return self.world.data / "cells" / slug


@dataclass(frozen=True, kw_only=True)
class NamespaceEvidence(Evidence):
    """Cells as namespaces: asked of the API server with kubectl, not of the platform."""

    kubectl: Path
    kubeconfig: Path

    @override
    def mark_of(self, slug: str, observed: dict[str, Any]) -> str:
        """The gateway's pod, which must be ready."""
        pod = self.pod(slug)
        if pod is None or self._ready_since(pod) is None:
            raise PermanentError(f"The pod of {slug} is not ready: {pod and pod['status']}")
        return f"pod {pod['metadata']['uid']}"

    @override
    def require_gone(self, slug: str, mark: str) -> str:
        """No namespace and no volume that was claimed from it."""
        namespace = namespace_name(slug)
        if self._get("namespace", namespace):
            raise PermanentError(f"The namespace {namespace} was left behind.")
        volumes = (self._get("persistentvolumes") or {"items": []})["items"]
        left = [item for item in volumes if item["spec"].get("claimRef", {}).get("namespace") == namespace]
        if left:
            raise PermanentError(f"Volumes of {namespace} were left behind: {[v['metadata']['name'] for v in left]}.")
        return f"{mark[:12]} gone, namespace {namespace} gone, no volume left"

    @override
    def gateway_seconds(self, slug: str, events: Events) -> float:
        """Seconds between the container's start and the pod being ready."""
        pod = self.pod(slug)
        ready = None if pod is None else self._ready_since(pod)
        if pod is None or ready is None:
            raise PermanentError(f"The pod of {slug} is not ready.")
        started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        return (ready - datetime.fromisoformat(started)).total_seconds()

    def pod(self, slug: str) -> dict[str, Any] | None:
        """The gateway's pod as the API server shows it."""
        return self._get("pod", "gateway-0", "--namespace", namespace_name(slug))

    def _get(self, *what: str) -> dict[str, Any] | None:
        command = [
            str(self.kubectl),
            "--kubeconfig",
            str(self.kubeconfig),
            "get",
            *what,
            "--ignore-not-found",
            "-ojson",
        ]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - no shell
        if result.returncode != 0:
            raise PermanentError(f"kubectl get {' '.join(what)} failed: {result.stderr.strip()[-400:]}")
        document: dict[str, Any] | None = json.loads(result.stdout) if result.stdout.strip() else None
        return document

    @staticmethod
    def _ready_since(pod: dict[str, Any]) -> datetime | None:
        for condition in pod["status"].get("conditions", []):
            if condition["type"] == "Ready" and condition["status"] == "True":
                return datetime.fromisoformat(condition["lastTransitionTime"])
        return None
