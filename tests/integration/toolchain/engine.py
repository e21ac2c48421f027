"""A Pulumi project of a test: a folder, a state of its own, and the real CLI with the plugins that were located."""

from __future__ import annotations

import json
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from clawstack.tools import Tools
from services.cli.demonstration.world import clean_environment
from tests.waiting import patient
from toolchain.linking import link_plugins

LIMIT = 120
"""Seconds that one CLI call may take, on a machine that others use too."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """Write a program, then run the CLI on it."""

    folder: Path
    tools: Tools

    def environ(self) -> dict[str, str]:
        return {
            **clean_environment(),
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_NO_LEGACY_WARNING": "true",
        }

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def program(self) -> Path:
        return self.folder / "program"

    def prepare(self) -> None:
        for folder in (self.program, self.folder / "state"):
            folder.mkdir(parents=True)
        (self.program / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
        link_plugins(self.tools, self.home)
        self.pulumi("stack", "init", "dev")

    def write(self, source: str) -> None:
        (self.program / "__main__.py").write_text(textwrap.dedent(source))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A CLI in a process group of its own, as a terminal would start it."""
        return subprocess.Popen(
            [self.tools.pulumi, "--non-interactive", *arguments],
            cwd=self.program,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def attempt(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything that was printed."""
        child = self.start(*arguments)
        try:
            printed, _ = child.communicate(timeout=patient(LIMIT))
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return child.returncode, printed

    def pulumi(self, *arguments: str) -> str:
        code, printed = self.attempt(*arguments)
        assert code == 0, printed
        return printed

    def up(self, *arguments: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", "dev", *arguments)

    def outputs(self, *arguments: str) -> dict[str, Any]:
        outputs: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--stack", "dev", *arguments))
        return outputs

    def state(self) -> str:
        return self.pulumi("stack", "export", "--stack", "dev")

    def processes(self) -> list[psutil.Process]:
        """All processes that were started for this project and still run; `info` has their `cmdline`."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            try:
                if process.environ().get("PULUMI_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found
