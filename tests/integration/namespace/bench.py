"""A cell on a stand-in cluster, for tests of its driver."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any

from services.cells.substrates.namespace.driver import NamespaceDriver
from services.cells.substrates.namespace.settle import PodPatience
from tenants.backups import archive
from tenants.backups.stream import decrypt
from tenants.namespace.plan import build_plan
from tenants.spec import CellSpec
from tests.integration.namespace.fake_cluster import FakeCluster
from tests.unit.namespace.builders import TODAY, cell, make_settings

FAST = PodPatience(ready=5, stop=5, resize=2, config=2, poll=0.02)


class Bench:
    """A cell on a stand-in cluster, and its driver."""

    def __init__(self, cluster: FakeCluster, folder: Path) -> None:
        self.cluster = cluster
        self.backups = folder / "backups"
        self.told: list[str] = []
        self.settings = make_settings(
            kubeconfig=cluster.kubeconfig(), node=str(cluster.node), storage_class=None, priority_classes={}
        )
        self.driver = NamespaceDriver(self.settings, patience=FAST)

    def spec(self, slug: str = "anna", **changes: Any) -> CellSpec:
        spec = cell(slug=slug, **changes)
        directories = spec.directories.model_copy(update={"backups": self.backups})
        return spec.model_copy(update={"directories": directories})

    def up(self, spec: CellSpec) -> None:
        self.cluster.apply(build_plan(spec, self.settings, today=TODAY).documents())

    def live(self, slug: str = "anna", text: str = "memory") -> None:
        """The gateway wrote something."""
        folder = self.cluster.volume / slug / "state/state"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "openclaw.sqlite").write_text(text)

    def kept(self, spec: CellSpec) -> list[str]:
        """What each backup holds, oldest first."""
        found = []
        for manifest in archive.manifests(self.backups, spec.slug):
            plain = io.BytesIO()
            sealed = (self.backups / spec.slug / manifest.archive).open("rb")
            with sealed:
                decrypt(sealed, plain, key=base64.b64decode(spec.backup_key.get_secret_value()), slug=spec.slug)
            plain.seek(0)
            with tarfile.open(fileobj=plain) as tar:
                member = tar.extractfile("state/openclaw.sqlite")
                assert member is not None
                found.append(member.read().decode())
        return found

    def leftovers(self, slug: str = "anna") -> list[str]:
        return sorted(
            path.name for path in (self.cluster.volume / slug).iterdir() if path.name not in {"state", "config"}
        )

    async def running(self) -> CellSpec:
        """A cell that runs and has written."""
        spec = self.spec()
        self.up(spec)
        self.live()
        await self.driver.settle(spec, tell=self.told.append)
        return spec
