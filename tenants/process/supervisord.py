"""One supervisord per platform data directory: started on demand, spoken to over its private socket."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import xmlrpc.client
from pathlib import Path
from typing import Any, Final
from xml.parsers.expat import ExpatError

import psutil
from typing_extensions import override

from clawstack.errors import PermanentError, TemporaryError
from clawstack.locks import locked
from tenants.paths import SupervisorPaths
from tenants.process.files import write_file
from tenants.process.programs import render_daemon

_START_SECONDS: Final = 20.0
_POLL: Final = 0.05
_CALL_SECONDS: Final = 10.0


class Unreachable(TemporaryError):  # noqa: N818 - reads as a state
    """No supervisord answers on the socket."""

    code = "supervisor_unreachable"


class Control:
    """supervisord's XML-RPC interface, as far as it is needed here."""

    def __init__(self, paths: SupervisorPaths) -> None:
        self._paths = paths

    def call(self, method: str, *arguments: Any, seconds: float = _CALL_SECONDS) -> Any:
        """The answer; raises Unreachable when nobody listens and xmlrpc.client.Fault when supervisord refuses."""
        body = xmlrpc.client.dumps(arguments, f"supervisor.{method}", allow_none=False)
        connection = _UnixConnection(self._paths.socket, seconds)
        try:
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            with connection.getresponse() as response:
                (answer,), _ = xmlrpc.client.loads(response.read().decode())
        except (OSError, http.client.HTTPException, ExpatError) as error:
            raise Unreachable(
                f"The supervisor of {self._paths.folder} does not answer ({type(error).__name__}).", retry_after=5.0
            ) from error
        finally:
            connection.close()
        return answer

    def is_up(self) -> bool:
        """Whether supervisord answers and runs."""
        try:
            return bool(self.call("getState", seconds=3.0)["statename"] == "RUNNING")
        except (Unreachable, xmlrpc.client.Fault):
            return False


def ensure_running(folder: Path) -> Control:
    """A supervisord for `folder`, started when there is none; two callers at once start one.

    It runs in a session of its own and outlives the caller. Raises TemporaryError when it does not come up.
    """
    paths = SupervisorPaths(folder=folder)
    control = Control(paths)
    if control.is_up():
        return control
    with locked(paths.start_lock, seconds=_START_SECONDS * 2, what=f"The supervisor of {folder}"):
        if not control.is_up():
            _end_deaf_ones(paths)
            _start(paths, control)
    return control


def stop(folder: Path, *, seconds: float = 60.0) -> None:
    """End supervisord and with it every gateway below `folder`; does nothing when none runs."""
    paths = SupervisorPaths(folder=folder)
    daemons = find(paths)
    for process in daemons:
        process.terminate()
    _, left = psutil.wait_procs(daemons, timeout=seconds)
    for process in left:
        process.kill()


def find(paths: SupervisorPaths) -> list[psutil.Process]:
    """Processes that run supervisord with this folder's configuration."""
    wanted = str(paths.configuration)
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if wanted in line and "supervisor.supervisord" in line and process.uids().real == os.getuid():
            found.append(process)
    return found


def _end_deaf_ones(paths: SupervisorPaths) -> None:
    """A supervisord that lost its socket would otherwise go on beside the new one."""
    deaf = find(paths)
    for process in deaf:
        process.terminate()
    _, left = psutil.wait_procs(deaf, timeout=_START_SECONDS)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5.0)


def _start(paths: SupervisorPaths, control: Control) -> None:
    for place in ("programs", "launch", "run", "locks"):
        (paths.folder / place).mkdir(parents=True, exist_ok=True, mode=0o700)
    paths.folder.chmod(0o700)
    write_file(paths.configuration, render_daemon(paths))
    daemon = subprocess.Popen(  # noqa: S603 - our own interpreter
        (sys.executable, "-I", "-m", "supervisor.supervisord", "-c", str(paths.configuration)),
        cwd=paths.folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + _START_SECONDS
    while not control.is_up():
        if daemon.poll() is not None or time.monotonic() >= deadline:
            raise PermanentError(
                f"The supervisor of {paths.folder} did not start (exit code {daemon.returncode}).",
                code="supervisor_failed",
                remedy=f"Read {paths.log}.",
            )
        time.sleep(_POLL)
    # It outlives this process on purpose. Where this process lives longer (a service), a dead one must not stay a zombie.
    threading.Thread(target=daemon.wait, daemon=True, name="supervisord-reaper").start()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("supervisor", timeout=seconds)
        self._path = path

    @override
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
