"""The real Pulumi CLI on one cell of a `Place`, each operation in a process of its own, with all of its output kept.

A process of its own, because the Automation API leaves event loops and threads behind, and because a test wants to
kill it at any moment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenants.spec import CellSpec
from tests.integration.killed_engine import mend
from tests.integration.tenants.harness import Place
from tests.waiting import patient
from toolchain.locate import locate

_SECONDS = 150.0


@dataclass(frozen=True)
class Result:
    """What an operation told."""

    error: str
    outputs: dict[str, Any]
    changes: dict[str, int]


@dataclass
class Engine:
    """One stack for one cell."""

    place: Place
    spec: CellSpec
    seen: list[str] = field(default_factory=list)
    """Output, events and errors of every operation that ended."""

    def run(self, verb: str) -> Result:
        """up, preview, refresh, destroy or cancel, to its end, whatever that is."""
        if verb == "cancel":
            mend(self.place.folder / "pulumi" / "state")
        process = self.start(verb)
        try:
            process.wait(patient(_SECONDS))
        finally:
            if process.poll() is None:
                kill_group(process)
        text = self._log(verb).read_text()
        self.seen.append(text)
        assert process.returncode == 0, text
        answer = json.loads(self._answer(verb).read_text())
        self.seen += answer.pop("told")
        return Result(**answer)

    def succeed(self, verb: str) -> Result:
        """The same, and it must succeed."""
        result = self.run(verb)
        assert not result.error, result.error
        return result

    def start(self, verb: str) -> subprocess.Popen[bytes]:
        """The operation on its way, in a process group of its own."""
        file = self.place.folder / f"{self.spec.slug}.spec.json"
        file.write_text(_with_secrets(self.spec))
        self._answer(verb).unlink(missing_ok=True)
        with self._log(verb).open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.integration.tenants.one_operation",
                 verb, str(self.place.folder), str(file), str(self._answer(verb))],
                start_new_session=True, stdout=output, stderr=subprocess.STDOUT, env=_environment(self.place.folder),
            )  # fmt: skip

    def state_files(self) -> list[Path]:
        """Everything that Pulumi wrote."""
        return [path for path in (self.place.folder / "pulumi").rglob("*") if path.is_file()]

    def _log(self, verb: str) -> Path:
        return self.place.folder / f"{self.spec.slug}.{verb}.log"

    def _answer(self, verb: str) -> Path:
        return self.place.folder / f"{self.spec.slug}.{verb}.json"


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """kill -9 the program and the CLI."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment(folder: Path) -> dict[str, str]:
    tools = locate()
    own = [str(Path(sys.executable).parent), str(tools.pulumi.parent), *(str(path) for path in tools.plugin_path)]
    return {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{folder}/pulumi/state",
        "PULUMI_HOME": str(folder / "pulumi" / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase-of-this-cell",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        "PATH": os.pathsep.join([*own, os.environ["PATH"]]),
    }


def _with_secrets(spec: CellSpec) -> str:
    data = spec.model_dump(mode="json")
    data["secrets"] = {name: getattr(spec.secrets, name).get_secret_value() for name in type(spec.secrets).model_fields}
    data["backup_key"] = spec.backup_key.get_secret_value()
    return json.dumps(data)
