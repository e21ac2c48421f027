"""An operator at the root of the project, in front of a stand-in for Hetzner: the real CLI, engine, plugins and pack."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcloud
import psutil
import yaml

from services.cli.demonstration.world import clean_environment
from tests.integration.killed_engine import mend
from tests.waiting import await_ready, patient

ROOT = Path(__file__).parents[3]
PACK = ("--policy-pack", str(ROOT / "policies"))
_TIMEOUT = 240


@dataclass(frozen=True, kw_only=True)
class Hetzner:
    """Where the stand-in is, and its control."""

    endpoint: str
    token: str
    control: str

    def tell(self, path: str, body: Mapping[str, Any] | None = None, *, method: str = "POST") -> dict[str, Any]:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self.control}/{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=patient(20)) as answer:
            result: dict[str, Any] = json.loads(answer.read() or b"{}")
        return result

    def forget(self) -> None:
        """Nothing exists, nothing was asked, no trouble is ordered."""
        self.tell("reset")
        self.tell("requests", method="DELETE")

    def client(self) -> hcloud.Client:
        return hcloud.Client(token=self.token, api_endpoint=self.endpoint, poll_interval=0.02)

    def objects(self) -> dict[str, list[dict[str, Any]]]:
        return {kind: rows for kind, rows in self.tell("objects", method="GET")["objects"].items() if rows}

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.tell(f"requests?after={after}", method="GET")["requests"]
        return rows

    def last_request(self) -> int:
        return int(self.tell("requests?after=999999999", method="GET")["last"])


@contextmanager
def hetzner(folder: Path, *, action_seconds: float = 0.02) -> Iterator[Hetzner]:
    """A stand-in on a free port, gone afterwards."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "sandbox.hcloud", "--ready-file", str(ready)]
    command += ["--action-seconds", str(action_seconds)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            await_ready(process, ready)
            told = json.loads(ready.read_text())
            yield Hetzner(endpoint=told["hcloud_endpoint"], token=told["hcloud_token"], control=told["hcloud_control"])
        finally:
            process.terminate()
            process.wait(patient(20))


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Types `pulumi` in a copy of the root project with a state of its own."""

    project: Path
    environment: Mapping[str, str]
    stack: str = "dev"
    left_running: list[psutil.Process] = field(default_factory=list)

    def pulumi(self, *arguments: str, expect: int = 0) -> str:
        if arguments[0] == "cancel":
            mend(Path(self.environment["PULUMI_BACKEND_URL"].removeprefix("file://")))
        result = subprocess.run(
            self.command(*arguments),
            cwd=self.project, env=self.environment, capture_output=True, text=True, timeout=patient(_TIMEOUT), check=False,
        )  # fmt: skip
        assert (result.returncode == 0) == (expect == 0), (
            f"{arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        )
        return result.stdout + result.stderr

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.prefix) / "bin" / "pulumi"), *arguments, "--non-interactive"]

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.pulumi("stack", "output", "--json", "--show-secrets", "--stack", self.stack)
        )
        return found

    def steps(self, *arguments: str) -> dict[str, list[str]]:
        """What a preview would do: operation to resource names (`same` left out)."""
        text = self.pulumi("preview", "--json", "--stack", self.stack, *arguments)
        document = json.loads(text[text.index("{") : text.rindex("}") + 1])
        found: dict[str, list[str]] = {}
        for step in document["steps"]:
            if step["op"] not in {"same", "read"}:
                found.setdefault(step["op"], []).append(step["urn"].rsplit("::", 2)[-2].rsplit("$", 1)[-1].rsplit(":", 1)[-1]
                                                        + " " + step["urn"].rsplit("::", 1)[-1])  # fmt: skip
        return {operation: sorted(names) for operation, names in found.items()}

    def configure(self, cluster: Mapping[str, Any]) -> None:
        """Write the cluster into the stack's file, as an operator's editor does."""
        path = self.project / f"Pulumi.{self.stack}.yaml"
        document = yaml.safe_load(path.read_text())
        document["config"]["clawstack:cluster"] = dict(cluster)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def tool(self, module: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """`python -m clawstack.cluster.<module>`."""
        return subprocess.run(
            [sys.executable, "-m", f"clawstack.cluster.{module}", *arguments],
            cwd=self.project, env=self.environment, input=stdin, capture_output=True, text=True, timeout=patient(120), check=False,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same as a process of its own, to be killed."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.project, env=self.environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def kill_engine(process: subprocess.Popen[str]) -> None:
    """kill -9 of the engine alone, as the kernel does when memory runs out; what it started may end by itself."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(patient(20))
    _, alive = psutil.wait_procs(family, timeout=patient(10))
    for member in alive:
        member.kill()
    psutil.wait_procs(alive, timeout=patient(10))


def after_requests(world: Hetzner, process: subprocess.Popen[str], count: int) -> bool:
    """Wait until the stand-in has answered so many requests that change something; False when the process ended first."""
    deadline = time.monotonic() + patient(120)
    while writes(world) < count:
        assert time.monotonic() < deadline, f"{count} changes never come"
        if process.poll() is not None:
            return False
        time.sleep(0.005)
    return True


def after_request(world: Hetzner, process: subprocess.Popen[str], method: str, path: str) -> None:
    """Wait until the stand-in has answered a request like this one well."""
    deadline = time.monotonic() + patient(120)
    pattern = re.compile(path + "$")
    while not any(
        row["method"] == method and pattern.search(row["path"]) and row["status"] < 300 for row in world.requests()
    ):
        assert time.monotonic() < deadline, f"{method} {path} never comes"
        assert process.poll() is None, f"the update ended before {method} {path}"
        time.sleep(0.01)


def writes(world: Hetzner) -> int:
    """How many requests changed something, or tried to."""
    return sum(row["method"] != "GET" for row in world.requests())


def operator(folder: Path, world: Hetzner) -> Operator:
    """A fresh copy of the root project, stack `dev`."""
    project = folder / "project"
    project.mkdir(parents=True)
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "__main__.py"):
        shutil.copy(ROOT / name, project)
    (project / ".venv").symlink_to(Path(sys.prefix))
    (folder / "state").mkdir()
    operator = Operator(
        project=project,
        environment={
            **clean_environment(),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "planted-passphrase",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_HOME": str(folder / "home"),
            "CLAWSTACK_HCLOUD_TOKEN": world.token,
            "CLAWSTACK_HCLOUD_ENDPOINT": world.endpoint,
        },
    )
    operator.pulumi("stack", "init", "dev")
    return operator


def servers_by_name(world: Hetzner, fields: Sequence[str] = ("id",)) -> dict[str, tuple[Any, ...]]:
    """Chosen attributes of every server, asked through the official client."""
    return {
        str(server.name): tuple(getattr(server, name) for name in fields) for server in world.client().servers.get_all()
    }
