"""Cells of one test: their specifications, and what Pulumi would do with them."""

from __future__ import annotations

import uuid
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from clawstack.naming import namespace_name
from services.cells.substrates.namespace.driver import NamespaceDriver
from services.cells.substrates.namespace.settle import PodPatience
from tenants.namespace.plan import build_plan
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec
from tests.e2e.cluster_fixture import Hand
from tests.unit.namespace.builders import cell


class Cells:
    """Builds, changes and removes cells as the stack does: forced server-side apply, the claim only once."""

    def __init__(self, *, settings: NamespaceSettings, kubectl: Hand, backups: Path) -> None:
        self.settings = settings
        self.kubectl = kubectl
        self.backups = backups
        self.told: list[str] = []
        self.driver = NamespaceDriver(settings, patience=PodPatience(poll=0.3))
        self._made: set[str] = set()

    def spec(self, slug: str | None = None, *, plan: str = "starter", **changes: Any) -> CellSpec:
        """A cell that calls the platform beside the cluster."""
        slug = slug or f"c{uuid.uuid4().hex[:8]}"
        [address], [port] = self.settings.proxy.peer.addresses, self.settings.proxy.ports
        made = cell(
            plan,
            slug=slug,
            endpoints={
                "llm_base_url": f"http://{address}:{port}/llm/v1",
                "telegram_api_root": f"http://{address}:{port}/telegram",
            },
            **{"models": {"primary": "gpt-5-mini", "allowed": ["gpt-5-mini"]}, **changes},
        )
        root = made.directories.root.parent / slug
        directories = made.directories.model_copy(update={"backups": self.backups, "root": root})
        return made.model_copy(update={"directories": directories})

    def up(self, spec: CellSpec, *, settings: NamespaceSettings | None = None) -> None:
        """What a Pulumi update does."""
        documents = build_plan(spec, settings or self.settings, today=date(2026, 11, 21)).documents()
        if spec.slug in self._made:
            documents = [document for document in documents if document["kind"] != "PersistentVolumeClaim"]
        self._made.add(spec.slug)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(documents))

    async def provision(self, **changes: Any) -> CellSpec:
        """A cell that runs."""
        spec = self.spec(**changes)
        self.up(spec)
        await self.settle(spec)
        return spec

    async def settle(self, spec: CellSpec) -> list[str]:
        """What was told on the way to what the specification says."""
        told: list[str] = []
        await self.driver.settle(spec, tell=told.append)
        self.told += told
        return told

    def destroy(self, slug: str) -> None:
        """What a Pulumi destroy does."""
        self.kubectl("delete", "namespace", namespace_name(slug), "--wait=false", "--ignore-not-found")
        self._made.discard(slug)

    def pod(self, slug: str) -> dict[str, Any]:
        """The gateway's pod."""
        found = self.kubectl.get("pod", "gateway-0", "-n", namespace_name(slug))
        assert found is not None
        return found

    def pods(self, slug: str) -> list[str]:
        """Names of all pods of the cell."""
        answer = self.kubectl("get", "pods", "-n", namespace_name(slug), "-o", "jsonpath={.items[*].metadata.name}")
        return answer.split()

    def run(self, slug: str, script: str) -> str:
        """Run a shell script in the gateway's container."""
        return self.kubectl("exec", "gateway-0", "-c", "gateway", "-n", namespace_name(slug), "--", "sh", "-c", script)

    async def remove_all(self) -> None:
        """Every cell is gone, without waiting for turns."""
        for slug in sorted(self._made):
            self.kubectl(
                "delete", "pods", "--all", "--grace-period=1", "--wait=false", "-n", namespace_name(slug), check=False
            )
            self.destroy(slug)
            await self.driver.confirm_gone(slug, tell=lambda _: None)
        await self.driver.aclose()


def identity(pod: dict[str, Any]) -> tuple[str, str]:
    """Changes with every restart: the pod, and the gateway's container in it."""
    [status] = [entry for entry in pod["status"]["containerStatuses"] if entry["name"] == "gateway"]
    return pod["metadata"]["uid"], status["containerID"]
