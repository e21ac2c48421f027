"""Starts and ends what a story needs: the stand-ins and `clawstack serve`, each a process of its own on free ports."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import psutil

from clawstack import untrusted_tree
from clawstack.errors import NotFoundError, PermanentError, TemporaryError

BOT_USERNAME: Final = "clawstack_demo_bot"
STRIPE_KEY: Final = "sk_test_clawstack"
MODEL_KEY: Final = "sk-sandbox-model-key-0123456789"
_START_SECONDS: Final = 600.0
"""For a process that lives and does not answer yet; one that has ended is not waited for."""
_AWAIT_SECONDS: Final = 60.0
_COMMAND_SECONDS: Final = 600.0
_TELL_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05
_KEPT: Final = "kept-processes.json"
_TROUBLE: Final = re.compile(r"\b(warning|error|critical)\b", re.IGNORECASE)
_SHOWN_TROUBLES: Final = 5

T = TypeVar("T")
#: `toolchain.ground.surroundings` looks there for the CLI and for official plugins.
WHERE_TOOLS_ARE: Final = ("CLAWSTACK_CACHE_DIR", "PULUMI_HOME")


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where everything listens."""

    platform: str
    sandbox: str
    stripe: str
    telegram: str
    telegram_link_base: str
    llm: str


class World:
    """One platform with its surroundings, on a folder of its own."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        overrides: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:
        """`folder`: where data and logs go, a new one by default; `overrides`: settings that differ from the usual.

        `host` and `port`: where the platform listens, a free port by default.
        """
        self.folder = folder or Path(tempfile.mkdtemp(prefix="clawstack-demo-", dir="/tmp"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        self.data = self.folder / "data"
        self._overrides = dict(overrides or {})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._webhook_secret = "whsec_" + secrets.token_hex(16)
        self._bot_token = f"{secrets.randbelow(10**9) + 10**8}:AA{secrets.token_hex(17)}"
        self._host = host
        self._port = port or free_port(host)
        self.addresses: Addresses | None = None
        self.say: Callable[[str], object] = lambda _line: None
        """Told every so often what is waited for."""
        self._last = ExitStack()

    @property
    def port(self) -> int:
        """Where the platform listens."""
        return self._port

    def set(self, settings: Mapping[str, str]) -> None:
        """Settings that could only be known now; for processes that are started from here on."""
        self._overrides.update(settings)

    def at_close(self, close: Callable[[], object]) -> None:
        """Have `close` called when the world is taken down: for connections into it."""
        self._last.callback(close)

    @property
    def urls(self) -> Addresses:
        """Where everything listens, once started."""
        if self.addresses is None:
            raise PermanentError("The world was not started.")
        return self.addresses

    def planted_secrets(self) -> dict[str, str]:
        """Secrets that must never be seen anywhere: tests look for them."""
        return {"bot token": self._bot_token, "webhook secret": self._webhook_secret, "model key": MODEL_KEY}

    def start(self) -> None:
        """Start the stand-ins and the platform side by side; returns once both answer."""
        self._begin_sandbox()
        self.start_platform(await_ready=False)
        self._await_sandbox()
        self.await_platform()

    def start_sandbox(self) -> dict[str, Any]:
        """Start the stand-ins; returns what they say about themselves."""
        self._begin_sandbox()
        return self._await_sandbox()

    def _begin_sandbox(self) -> None:
        port = free_port()
        root = f"http://127.0.0.1:{port}"
        platform = f"http://{self._host}:{self._port}"
        self._ready_file.unlink(missing_ok=True)
        self._start(
            "sandbox",
            [
                *(sys.executable, "-m", "sandbox", "--port", str(port), "--data", str(self.folder / "sandbox")),
                *("--ready-file", str(self._ready_file), "--stripe-webhook-url", f"{platform}/webhooks/stripe"),
                *("--stripe-webhook-secret", self._webhook_secret, "--stripe-api-key", STRIPE_KEY),
                *("--telegram-bot", f"{BOT_USERNAME}={self._bot_token}", "--llm-key", MODEL_KEY),
            ],
            env=clean_environment(),
        )
        self.addresses = Addresses(
            platform=platform,
            sandbox=root,
            stripe=f"{root}/stripe",
            telegram=f"{root}/telegram",
            telegram_link_base=f"{root}/telegram/_chat",
            llm=f"{root}/llm/v1",
        )

    def _await_sandbox(self) -> dict[str, Any]:
        told: dict[str, Any] = self.await_(lambda: _json_file(self._ready_file), "the stand-ins", process="sandbox")
        if told["stripe_api_base"] != self.urls.stripe or told["llm_base_url"] != self.urls.llm:
            raise PermanentError(f"The stand-ins are elsewhere than expected: {told}.")
        return told

    @property
    def _ready_file(self) -> Path:
        return self.folder / "sandbox.json"

    def environment(self) -> dict[str, str]:
        """The environment of `clawstack` commands in this world."""
        return {
            **clean_environment(),
            "CLAWSTACK_DATA_DIR": str(self.data),
            "CLAWSTACK_HOST": self._host,
            "CLAWSTACK_PORT": str(self._port),
            "CLAWSTACK_STRIPE_API_KEY": STRIPE_KEY,
            "CLAWSTACK_STRIPE_WEBHOOK_SECRET": self._webhook_secret,
            "CLAWSTACK_STRIPE_API_BASE": self.urls.stripe,
            "CLAWSTACK_TELEGRAM_BOT_TOKEN": self._bot_token,
            "CLAWSTACK_TELEGRAM_BOT_USERNAME": BOT_USERNAME,
            "CLAWSTACK_TELEGRAM_API_ROOT": self.urls.telegram,
            "CLAWSTACK_TELEGRAM_LINK_BASE": self.urls.telegram_link_base,
            "CLAWSTACK_TELEGRAM_INTAKE": "webhook",
            "CLAWSTACK_LLM_UPSTREAMS": json.dumps({"openai": {"base_url": self.urls.llm, "api_key": MODEL_KEY}}),
            **self._overrides,
        }

    def start_platform(self, name: str = "platform", *arguments: str, await_ready: bool = True) -> int:
        """Start `clawstack serve`; returns its PID, by default once `/readyz` answers."""
        command = [sys.executable, "-m", "services.cli", "serve", *arguments]
        self._start(name, command, env=self.environment())
        if await_ready:
            self.await_platform(name)
        return self._processes[name].pid

    def await_platform(self, name: str = "platform") -> None:
        """Return once `/readyz` answers."""
        self.await_(lambda: _answers(f"{self.urls.platform}/readyz"), "the platform", process=name)

    def run(self, *arguments: str) -> str:
        """Run a `clawstack` command to its end; returns what it printed. Raises PermanentError when it fails."""
        result = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "services.cli", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise PermanentError(f"clawstack {' '.join(arguments)} failed: {(result.stderr or result.stdout)[-800:]}")
        return result.stdout

    def await_(
        self, probe: Callable[[], T | None], what: str, *, seconds: float | None = None, process: str | None = None
    ) -> T:
        """The first truthy answer of `probe`; raises TemporaryError when it takes longer, or when `process` ends."""
        seconds = seconds or (_AWAIT_SECONDS if process is None else _START_SECONDS)
        begun = told = time.monotonic()
        while (now := time.monotonic()) - begun < seconds:
            with suppress(httpx.TransportError):  # out of breath: asked again
                if found := probe():
                    return found
            if process is not None:
                self._require(process)
            if now - told >= _TELL_SECONDS:
                told = now
                self.say(f"waiting for {what} ({now - begun:.0f} s)")
            time.sleep(_POLL_SECONDS)
        troubles = "".join(f"\n  {line}" for line in self.troubles("platform"))
        raise TemporaryError(f"Waited {seconds:.0f} s for {what} in vain." + troubles)

    def require_alive(self) -> None:
        """Raises PermanentError when a process that was started has ended by itself."""
        for name in list(self._processes):
            self._require(name)

    def _require(self, name: str) -> None:
        if (code := self._processes[name].poll()) is not None:
            raise PermanentError(f"{name} ended with exit code {code}:\n{self.log_tail(name)}")

    def troubles(self, name: str) -> list[str]:
        """The last warnings and errors of a process's log."""
        found = [line for line in self.log_tail(name, 400).splitlines() if _TROUBLE.search(line)]
        return found[-_SHOWN_TROUBLES:]

    def log_tail(self, name: str, lines: int = 25) -> str:
        """The end of a process's log."""
        path = self.folder / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def kill(self, name: str) -> None:
        """End a process with SIGKILL, as a crash would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> None:
        """Ask a process to end, and make it end when it takes too long."""
        process = self._processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self, *, remove: bool = True) -> None:
        """End everything that was started, cells included, and remove the folder unless it is to be kept."""
        self._last.close()
        for name in reversed(list(self._processes)):
            self.stop(name)
        self._end_cells()
        if remove:
            untrusted_tree.remove(self.folder)

    def remember(self) -> None:
        """Write down which processes run, for `end_kept`."""
        living = [process.pid for process in self._processes.values() if process.poll() is None]
        pids = {str(pid): psutil.Process(pid).create_time() for pid in living}
        (self.folder / _KEPT).write_text(json.dumps(pids))

    def _end_cells(self) -> None:
        _end_cells(self.data)

    def _start(self, name: str, command: list[str], *, env: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - our own modules
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


def end_kept(folder: Path) -> None:
    """End the processes that a kept world left running, its cells too, and remove its folder.

    Raises NotFoundError when the folder is not that of a kept world.
    """
    pids = _json_file(folder / _KEPT)
    if pids is None:
        raise NotFoundError(f"{folder} is not the folder of a kept demonstration.")
    mine = [process for pid, started in pids.items() if (process := _same_process(int(pid), started)) is not None]
    for process in mine:
        process.terminate()
    for process in psutil.wait_procs(mine, timeout=_STOP_SECONDS)[1]:
        process.kill()
    _end_cells(folder / "data")
    untrusted_tree.remove(folder)


def _same_process(pid: int, started: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if process.create_time() == started else None
    except psutil.NoSuchProcess:
        return None


def _end_cells(data: Path) -> None:
    # Cells outlive the platform on purpose; a world that is taken down takes them along.
    from tenants.process import accounts, supervisord, wall  # late: only a world that had cells needs them

    supervisord.stop(data / "supervisor")
    for pid in processes_below(data):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    accounts.remove_below(data / "cells")
    wall.take_down(data / "cells")


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of another platform; where this machine's tools are stays."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLAWSTACK_", "PULUMI_")) or name in WHERE_TOOLS_ARE
    }


def processes_below(folder: Path) -> list[int]:
    """PIDs of processes whose environment or arguments name `folder`: what a cell left running."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if any(str(folder) in word for word in words):
            found.append(process.pid)
    return found


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _json_file(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200  # noqa: PLR2004 - OK
    except httpx.HTTPError:
        return False
