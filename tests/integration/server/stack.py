"""A server cell's stack: the real engine and policy pack, the plugin in use, the stand-in for Hetzner."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.cli.demonstration.world import clean_environment
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.waiting import patient
from toolchain.linking import link_plugins
from toolchain.locate import locate


@dataclass(frozen=True)
class Stack:
    folder: Path
    hetzner: Hetzner

    def prepare(self) -> None:
        """The plugins in use on this machine, the official one where it is here."""
        for place in ("state", "home"):
            (self.folder / place).mkdir(parents=True)
        link_plugins(locate(), self.folder / "home")

    async def run(self, verb: str, spec: CellSpec, settings: ServerSettings) -> dict[str, int]:
        """The operation; how many resources were changed in which way."""
        told = await self.ask(verb, spec, settings)
        assert not told["error"], told["error"]
        changes: dict[str, int] = told["changes"]
        return {kind: count for kind, count in changes.items() if kind != "same"}

    async def ask(self, verb: str, spec: CellSpec, settings: ServerSettings) -> dict[str, Any]:
        """What the operation told. Another thread: the platform listens in this loop."""
        return await asyncio.to_thread(self._ask, verb, spec, settings)

    def state(self) -> str:
        """All that Pulumi wrote down."""
        return "\n".join(path.read_text() for path in (self.folder / "state").rglob("*.json"))

    def user_data(self, name: str) -> str:
        """What Hetzner gives the machine."""
        text: str = self.hetzner.tell(f"servers/{name}", method="GET")["server"]["user_data"]
        return text

    def _ask(self, verb: str, spec: CellSpec, settings: ServerSettings) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.integration.server.one_operation", verb, str(self.folder)]
        facts = json.dumps({"spec": revealed(spec), "settings": revealed(settings)})
        answer = subprocess.run(
            command, input=facts, env=self._environ(), capture_output=True, text=True, timeout=patient(120), check=False
        )
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return told

    def _environ(self) -> dict[str, str]:
        kept = clean_environment()
        tools = locate()
        path = [str(tools.pulumi.parent), *map(str, tools.plugin_path), kept["PATH"]]
        return {
            **kept,
            "PATH": os.pathsep.join(path),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


def revealed(model: Any) -> Any:
    """The model as plain JSON data, secrets in the clear."""

    def plain(value: Any) -> Any:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return plain(model.model_dump())
