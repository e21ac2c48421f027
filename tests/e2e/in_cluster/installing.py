"""clawstack's own services, installed by Pulumi with the policy pack, as an operator's program does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.toolchain.engine import Project
from toolchain.cluster.running import TestCluster
from toolchain.locate import locate

NAMESPACE = "clawstack"
_PROGRAM = """
import json
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from clawstack.addons import AddonsSettings
from clawstack.addons.component import Addons, AddonSecrets

given = json.loads(Path("given.json").read_text())
provider = kubernetes.Provider(
    "cluster", kubeconfig=pulumi.Output.secret(given["kubeconfig"]), enable_server_side_apply=True
)
Addons(
    "platform",
    AddonsSettings.model_validate(given["settings"]),
    provider=provider,
    secrets=AddonSecrets(
        environment=given["environment"],
        database_url=given["database_url"],
        pulumi_backend_url=given["pulumi_backend_url"],
    ),
)
"""
_ONE = {"minimum": 1, "maximum": 1, "cpu_request": "50m"}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What an operator says."""

    cluster: TestCluster
    image: str
    database: str
    """PostgreSQL as pods reach it."""
    environment: Mapping[str, str]

    def settings(self) -> dict[str, Any]:
        node = self.cluster.node_ip
        own = {
            "image": self.image,
            "cells": {"image": self.cluster.image, "storage_class": self.cluster.storage_class},
            "kubernetes_api": [node],
            "kubernetes_api_port": self.cluster.layout.ports.api,
            "backups": {"size_gb": 10, "storage_class": self.cluster.storage_class},
            **dict.fromkeys(("api", "proxy", "router"), _ONE),
            "worker": {**_ONE, "memory": "2048Mi"},
        }
        return {"cluster": "test", "database": {"addresses": [node]}, "workloads": own}

    def project(self, folder: Path) -> Project:
        """The operator's project, ready for `up`."""
        project = Project(folder=folder, tools=locate())
        project.prepare()
        given = {
            "kubeconfig": self.cluster.kubeconfig.read_text(),
            "settings": self.settings(),
            "environment": dict(self.environment),
            "database_url": self.database,
            "pulumi_backend_url": f"{self.database.replace('postgresql:', 'postgres:', 1)}?sslmode=disable",
        }
        (project.program / "given.json").write_text(json.dumps(given))
        project.write(_PROGRAM)
        return project
