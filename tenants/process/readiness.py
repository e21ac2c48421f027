"""Waits until a gateway is ready, and says why when it does not become so."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import psutil

from clawstack.errors import ClawstackError, NeedsAttentionError, PermanentError, TemporaryError
from tenants.paths import CellPaths, SupervisorPaths
from tenants.process.files import read_json
from tenants.process.launch import Launch
from tenants.process.launcher import NEEDS_OPERATOR
from tenants.process.supervision import startup
from tenants.process.trees import TreeOwner, processes_of

_POLL: Final = 0.25
_LOG_LINES: Final = 15
_LOG_BYTES: Final = 32_768
_GIVE_UP_AFTER: Final = 3
"""Exits in a row: a gateway that dies three times at its start will die a fourth time."""


def require_free_port(launch: Launch) -> None:
    """Raises TemporaryError when a process of somebody else listens on the cell's port: the next try has another."""
    holder = _listener(launch.port)
    if holder is None or holder.pid in _pids(launch):
        return
    raise TemporaryError(
        f"Port {launch.port} of cell {launch.slug} is taken by process {holder.pid} ({_name(holder)}).",
        code="port_in_use",
        remedy="The platform gives the cell another port at the next try; without it, end that process.",
        retry_after=1.0,
    )


def wait_started(
    folder: Path, launch: Launch, *, version: str, since: float, seconds: float, cancelled: threading.Event
) -> int:
    """The gateway's pid once `/startupz` says started with `version` and the cell's own process answers there.

    Raises NeedsAttentionError for exit code 78, PermanentError after repeated exits or a wrong version, TemporaryError
    when time is up or somebody cancelled. Each carries the last log lines, without the cell's secrets.
    """
    record_file = SupervisorPaths(folder=folder).record(launch.slug)
    deadline = time.monotonic() + seconds
    exits: set[float] = set()
    while not cancelled.wait(_POLL):
        record = read_json(record_file)
        if (pid := record.get("gateway_pid")) and (answer := startup(launch.port)).get("ok") is True:
            return _accepted(launch, int(pid), answer, version)
        if error := _failure(record, since, exits, launch):
            raise error
        if time.monotonic() >= deadline:
            raise TemporaryError(
                _with_log(launch, f"The gateway of {launch.slug} was not ready within {seconds:.0f} s"),
                code="gateway_not_ready",
                retry_after=30.0,
            )
    raise TemporaryError(f"Waiting for the gateway of {launch.slug} was cancelled.", code="cancelled")


def last_lines(log: Path, *, secrets: tuple[str, ...] = ()) -> list[str]:
    """The end of the log, secrets replaced by ***."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    for secret in secrets:
        text = text.replace(secret, "***")
    return list(deque((line for line in text.splitlines() if line.strip()), maxlen=_LOG_LINES))


def _accepted(launch: Launch, pid: int, answer: dict[str, Any], version: str) -> int:
    require_free_port(launch)  # somebody else's /startupz is not ours
    told = str(answer.get("version", ""))
    if told != version:
        raise PermanentError(
            f"The gateway of {launch.slug} has version {told[:40]!r}, not {version!r}.",
            code="wrong_gateway_version",
            remedy="Check which OpenClaw the runtime points at.",
        )
    return pid


def _failure(record: dict[str, Any], since: float, exits: set[float], launch: Launch) -> ClawstackError | None:
    last = record.get("last_exit") or {}
    if not last or last.get("at", 0) < since:
        return None
    exits.add(last["at"])
    if last.get("kind") == "disk_full":
        return NeedsAttentionError(
            f"The gateway of {launch.slug} is stopped, because {last.get('reason')}. Nothing was deleted.",
            code="disk_full",
            remedy="Choose a plan with more space, or have an operator remove files of its state and restart it.",
        )
    if last.get("code") == NEEDS_OPERATOR:
        return NeedsAttentionError(
            _with_log(launch, f"The gateway of {launch.slug} refuses to start ({last.get('reason')})"),
            code="gateway_refused_config",
            remedy="Correct what the log names, then run the operation again.",
        )
    if len(exits) >= _GIVE_UP_AFTER:
        return PermanentError(
            _with_log(
                launch, f"The gateway of {launch.slug} ended {len(exits)} times at its start ({last.get('reason')})"
            ),
            code="gateway_crashes",
        )
    return None


def _with_log(launch: Launch, sentence: str) -> str:
    secrets = tuple(value for key, value in launch.environment.items() if key.endswith("_TOKEN"))
    lines = last_lines(CellPaths(root=Path(launch.root)).log, secrets=secrets)
    if not lines:
        return f"{sentence}; its log is empty."
    return f"{sentence}. The end of its log:\n" + "\n".join(f"  {line[:300]}" for line in lines)


def _listener(port: int) -> psutil.Process | None:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS without root: the gateway's own exclusive bind has the last word
        return None
    for connection in connections:
        here = connection.laddr
        if connection.status == psutil.CONN_LISTEN and here and here.port == port and connection.pid:
            try:
                return psutil.Process(connection.pid)
            except psutil.Error:
                continue
    return None


def _pids(launch: Launch) -> set[int]:
    return {process.pid for process in processes_of(TreeOwner(root=launch.root, uid=launch.uid))}


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return "gone by now"
