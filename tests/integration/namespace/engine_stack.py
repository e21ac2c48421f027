"""One cell's stack for the real engine and the policy pack, with a kubernetes plugin that is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.cli.demonstration.world import clean_environment
from tests.plugins.pulumi_plugins import Compared
from tests.waiting import patient
from toolchain.linking import link_plugins
from toolchain.locate import locate

OBJECTS = 12
"""Of a cell in the cluster; the stack itself, the cell and the provider come to them in Pulumi's count."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    folder: Path
    kubeconfig: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs of the cluster's settings."""

    def run(self, verb: str, **cell: Any) -> dict[str, int]:
        """The operation; how many resources were changed in which way."""
        told = self.ask(verb, cell)
        assert not told["error"], told["error"]
        changes: dict[str, int] = told["changes"]
        return {kind: count for kind, count in changes.items() if kind != "same"}

    def ask(self, verb: str, cell: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
        """What the operation told; `settings` of the cluster that differ this once."""
        command = [sys.executable, "-m", "tests.integration.namespace.one_operation", verb, str(self.folder)]
        facts = {"cell": dict(cell), "kubeconfig": self.kubeconfig, "settings": {**self.settings, **settings}}
        answer = subprocess.run(
            command, input=json.dumps(facts), env=self._environ(),
            capture_output=True, text=True, timeout=patient(120), check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return told

    def _environ(self) -> dict[str, str]:
        kept = clean_environment()
        tools = locate()
        path = [str(self.folder / "bin"), str(tools.pulumi.parent), *map(str, tools.plugin_path), kept["PATH"]]
        return {
            **kept,
            "PATH": os.pathsep.join(path),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


def prepared(folder: Path, plugin: Compared, kubeconfig: str, **settings: Any) -> Stack:
    """A stack still to come, in an empty folder. The named plugin goes before whatever this machine would choose."""
    for place in ("bin", "state", "home"):
        (folder / place).mkdir()
    link_plugins(locate(), folder / "home")
    script = folder / "bin" / f"pulumi-resource-{plugin.name}"
    script.write_text(f'#!/bin/sh\nexec "{plugin.path}" "$@"\n')
    script.chmod(0o755)
    return Stack(folder=folder, kubeconfig=kubeconfig, settings=settings)
