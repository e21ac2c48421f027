"""The real Pulumi CLI on one cell of a `Place`, with every bit of output kept for looking into."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from tenants.program import cell_program
from tenants.spec import CellSpec
from tests.integration.tenants.harness import Place
from toolchain.locate import locate


@dataclass
class Engine:
    """One stack for one cell."""

    place: Place
    spec: CellSpec
    lines: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def stack(self) -> auto.Stack:
        """The cell's stack, made when absent."""
        folder = self.place.folder / "pulumi"
        work = folder / "work" / self.spec.slug
        for path in (work, folder / "state", folder / "home"):
            path.mkdir(parents=True, exist_ok=True)
        os.environ["PATH"] = search_path()  # the SDK looks the CLI up in its own environment
        return auto.create_or_select_stack(
            stack_name=self.spec.slug,
            project_name="clawstack-cells",
            program=cell_program(self.spec),
            opts=auto.LocalWorkspaceOptions(work_dir=str(work), env_vars=environment(folder)),
        )

    def up(self) -> auto.UpResult:
        return self.stack().up(on_output=self.lines.append, on_event=self._keep)

    def preview(self) -> auto.PreviewResult:
        return self.stack().preview(on_output=self.lines.append, on_event=self._keep)

    def refresh(self) -> auto.RefreshResult:
        return self.stack().refresh(on_output=self.lines.append, on_event=self._keep)

    def destroy(self) -> auto.DestroyResult:
        return self.stack().destroy(on_output=self.lines.append, on_event=self._keep)

    def unlock(self) -> None:
        """What a killed engine leaves: its lock."""
        self.stack().cancel()

    def state_files(self) -> list[Path]:
        return [path for path in (self.place.folder / "pulumi").rglob("*") if path.is_file()]

    def start_apart(self, verb: str) -> subprocess.Popen[bytes]:
        """The operation in a process group of its own, to be killed at any moment."""
        file = self.place.folder / f"{self.spec.slug}.spec.json"
        file.write_text(_with_secrets(self.spec))
        with (self.place.folder / f"{self.spec.slug}.{verb}.log").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.integration.tenants.engine", verb, str(self.place.folder), str(file)],
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _keep(self, event: Any) -> None:
        self.events.append(repr(vars(event)) + repr(getattr(event, "__dict__", "")) + _deep(event))


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """kill -9 the program, the CLI and the plugin."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def search_path() -> str:
    """PATH with the CLI and its plugins first."""
    tools = locate()
    own = [str(Path(sys.executable).parent), str(tools.pulumi.parent), *(str(path) for path in tools.plugin_path)]
    rest = [part for part in os.environ["PATH"].split(os.pathsep) if part not in own]
    return os.pathsep.join([*own, *rest])


def environment(folder: Path) -> dict[str, str]:
    """Surroundings of the CLI."""
    return {
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase-of-this-cell",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        "PATH": search_path(),
    }


def _deep(value: Any, depth: int = 8) -> str:
    if depth == 0 or value is None or isinstance(value, (str, int, float, bool)):
        return str(value)
    if isinstance(value, dict):
        return " ".join(f"{key} {_deep(item, depth - 1)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(_deep(item, depth - 1) for item in value)
    return _deep(getattr(value, "__dict__", {}), depth - 1)


def _with_secrets(spec: CellSpec) -> str:
    import json

    data = spec.model_dump(mode="json")
    data["secrets"] = {name: getattr(spec.secrets, name).get_secret_value() for name in type(spec.secrets).model_fields}
    data["backup_key"] = spec.backup_key.get_secret_value()
    return json.dumps(data)


def main() -> None:
    verb, folder, file = sys.argv[1:]
    spec = CellSpec.model_validate_json(Path(file).read_text())
    engine = Engine(place=Place(folder=Path(folder)), spec=spec)
    getattr(engine, verb)()
    print(*engine.lines)  # noqa: T201 - read when a test fails


if __name__ == "__main__":
    main()
