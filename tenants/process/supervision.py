"""Starts, stops and watches gateways. Usable without Pulumi: the health sweep and the command line call it too."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import psutil

from tenants.disk_use import DiskUse
from tenants.paths import CellPaths, SupervisorPaths
from tenants.process.files import read_json, write_file
from tenants.process.launch import Launch
from tenants.process.launcher import NEEDS_OPERATOR
from tenants.process.limits import leave_control_groups
from tenants.process.ports import account_on
from tenants.process.programs import program_name, render_program, slug_of
from tenants.process.supervisord import Control, Unreachable, ensure_running
from tenants.process.trees import MARKER, TreeOwner, end_all, end_pids, processes_of

_BAD_NAME: Final = 10
_NOT_RUNNING: Final = 70
_ALREADY_STARTED: Final = 60
_ALREADY_ADDED: Final = 90
"""Fault codes of `supervisor.xmlrpc.Faults`."""
_STOP_MARGIN_SECONDS: Final = 60.0


class GatewayState(StrEnum):
    """What is seen of a gateway."""

    RUNNING = "running"
    """Process there and `/startupz` says started."""
    STARTING = "starting"
    """Process there (or waiting to be started again), `/startupz` not yet."""
    STOPPED = "stopped"
    """No program of this cell: suspended, or never started."""
    NEEDS_ATTENTION = "needs_attention"
    """Exit code 78: an operator must act; it is not started again."""
    DOWN = "down"
    """It should run and does not: the supervisor itself is gone, or another account has its port."""


@dataclass(frozen=True, kw_only=True)
class GatewayStatus:
    """One look at one gateway."""

    state: GatewayState
    pid: int | None = None
    starts: int = 0
    """How often the gateway was started since its program was added."""
    failures: int = 0
    """Exits in a row that nobody asked for and that came within a minute."""
    last_exit: str = ""
    """Reason of the last exit, for people."""
    last_exit_code: int | None = None
    started_at: float | None = None
    """Seconds since the epoch."""
    version: str = ""
    """As `/startupz` tells it."""
    disk: DiskUse | None = None
    """As the launcher counted it last."""


@dataclass(frozen=True, kw_only=True)
class OrphanProcess:
    """A process or program that belongs to no known cell."""

    slug: str
    pids: tuple[int, ...]
    has_program: bool


def start(folder: Path, launch: Launch) -> None:
    """The gateway of `launch` runs with exactly these settings, or is on its way; repeating changes nothing.

    Starts supervisord when needed. Does not wait until the gateway is ready.
    """
    paths = SupervisorPaths(folder=folder)
    control = ensure_running(folder)
    launch.write(paths.launch(launch.slug))
    log = CellPaths(root=Path(launch.root)).log
    program = render_program(slug=launch.slug, python=sys.executable, log=log, stop_seconds=launch.stop_seconds)
    known = _info(control, launch.slug) is not None
    if write_file(paths.program(launch.slug), program) and known:
        _remove_group(control, launch)
        known = False
    control.call("reloadConfig")
    if not known:
        _forget_failures(paths, launch.slug)
        _tolerate(control, "addProcessGroup", program_name(launch.slug), faults=(_ALREADY_ADDED,))
        return
    if read_json(paths.record(launch.slug)).get("launch_digest") != launch.digest():
        _stop_process(control, launch)
    _forget_failures(paths, launch.slug)
    _tolerate(control, "startProcess", program_name(launch.slug), False, faults=(_ALREADY_STARTED,))


def stop(folder: Path, launch: Launch) -> None:
    """No process of the cell is left, and supervisord forgot it; repeating changes nothing."""
    paths = SupervisorPaths(folder=folder)
    paths.program(launch.slug).unlink(missing_ok=True)  # first: a supervisord started in between must not start it
    control = Control(paths)
    if control.is_up():
        _remove_group(control, launch)
    else:
        _end_launcher(paths, launch)
    end_all(TreeOwner(root=launch.root, uid=launch.uid), grace=launch.stop_seconds)
    leave_control_groups(launch.slug)
    for file in (paths.launch(launch.slug), paths.record(launch.slug)):
        file.unlink(missing_ok=True)


def status(folder: Path, slug: str) -> GatewayStatus:
    """What is seen of the gateway now: supervisor, process, `/startupz`. Never raises for a gateway in trouble."""
    paths = SupervisorPaths(folder=folder)
    record = read_json(paths.record(slug))
    facts = _facts(record)
    if not paths.program(slug).exists():
        return GatewayStatus(state=GatewayState.STOPPED, **facts)
    try:
        info = _info(Control(paths), slug)
    except Unreachable:
        return GatewayStatus(state=GatewayState.DOWN, **facts)
    if info is None:
        return GatewayStatus(state=GatewayState.DOWN, **facts)
    if info["statename"] == "FATAL" or (info["statename"] == "EXITED" and facts["last_exit_code"] == NEEDS_OPERATOR):
        return GatewayStatus(state=GatewayState.NEEDS_ATTENTION, **facts)
    if info["statename"] in {"STOPPED", "STOPPING"}:
        return GatewayStatus(state=GatewayState.STOPPED, **facts)
    return _on_its_port(read_json(paths.launch(slug)), record.get("gateway_pid"), facts)


def _on_its_port(launch: dict[str, Any], pid: int | None, facts: dict[str, Any]) -> GatewayStatus:
    """What answers there, unless it is somebody else's."""
    port, uid = launch.get("port"), launch.get("uid")
    if port is not None and uid is not None and account_on(port) not in {None, uid}:
        taken = f"another account of this machine listens on its port {port}"
        return GatewayStatus(state=GatewayState.DOWN, **{**facts, "last_exit": taken})
    answer = startup(port) if pid else {}
    state = GatewayState.RUNNING if answer.get("ok") is True else GatewayState.STARTING
    return GatewayStatus(state=state, pid=pid, version=str(answer.get("version", "")), **facts)


def startup(port: int | None, *, seconds: float = 3.0) -> dict[str, Any]:
    """The JSON body of `/startupz` on loopback; empty when nobody answers with one."""
    if port is None:
        return {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/startupz", headers={"Accept": "application/json"})
        body = json.loads(connection.getresponse().read(65536))
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return body if isinstance(body, dict) else {}


def end_orphan(folder: Path, orphan: OrphanProcess, *, seconds: float = 30.0) -> None:
    """Nothing of the orphan runs any more and the supervisor forgot it; its files stay for an operator to look at."""
    paths = SupervisorPaths(folder=folder)
    paths.program(orphan.slug).unlink(missing_ok=True)
    control = Control(paths)
    if control.is_up():
        name = program_name(orphan.slug)
        _tolerate(control, "stopProcess", name, True, faults=(_NOT_RUNNING, _BAD_NAME), seconds=seconds * 3)
        _tolerate(control, "removeProcessGroup", name, faults=(_BAD_NAME,))
    end_pids(orphan.pids, grace=seconds)
    paths.launch(orphan.slug).unlink(missing_ok=True)


def orphans(folder: Path, known: Iterable[str], *, accounts: dict[str, int] | None = None) -> list[OrphanProcess]:
    """Programs and processes of cells that are not in `known` (slugs): what a sweep reports and `end_orphan` ends.

    `accounts` maps slugs of former cells to their uid, where the platform gave them one.
    """
    paths = SupervisorPaths(folder=folder)
    wanted = set(known)
    programs = {file.stem for file in paths.folder.glob("programs/*.conf")} - wanted
    with contextlib.suppress(Unreachable):
        listed = Control(paths).call("getAllProcessInfo")
        programs |= {slug for info in listed if (slug := slug_of(info["name"])) and slug not in wanted}
    running = _running_by_marker(paths.folder, wanted)
    for slug, uid in (accounts or {}).items():
        if slug not in wanted and (found := processes_of(TreeOwner(root="", uid=uid))):
            running.setdefault(slug, set()).update(process.pid for process in found)
    return [
        OrphanProcess(slug=slug, pids=tuple(sorted(running.get(slug, ()))), has_program=slug in programs)
        for slug in sorted(programs | set(running))
    ]


def _running_by_marker(folder: Path, wanted: set[str]) -> dict[str, set[int]]:
    cells = folder.parent / "cells"
    running: dict[str, set[int]] = {}
    for process in psutil.process_iter():
        try:
            root = Path(process.environ().get(MARKER, ""))
        except psutil.Error:
            continue
        if root.parent == cells and root.name not in wanted:
            running.setdefault(root.name, set()).add(process.pid)
    return running


def _facts(record: dict[str, Any]) -> dict[str, Any]:
    last = record.get("last_exit") or {}
    return {
        "starts": int(record.get("starts", 0)),
        "failures": int(record.get("failures", 0)),
        "last_exit": str(last.get("reason", "")),
        "last_exit_code": last.get("code"),
        "started_at": record.get("started_at"),
        "disk": DiskUse.read(record),
    }


def _forget_failures(paths: SupervisorPaths, slug: str) -> None:
    """New settings deserve a start without back-off, and a new judgement."""
    record = read_json(paths.record(slug))
    if record.get("failures") or record.get("last_exit"):
        write_file(paths.record(slug), json.dumps({**record, "failures": 0, "last_exit": None}))


def _info(control: Control, slug: str) -> dict[str, Any] | None:
    name = program_name(slug)
    try:
        answer: dict[str, Any] = control.call("getProcessInfo", f"{name}:{name}")
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == _BAD_NAME:
            return None
        raise
    return answer


def _stop_process(control: Control, launch: Launch) -> None:
    seconds = launch.stop_seconds + _STOP_MARGIN_SECONDS
    name = program_name(launch.slug)
    _tolerate(control, "stopProcess", name, True, faults=(_NOT_RUNNING, _BAD_NAME), seconds=seconds)


def _end_launcher(paths: SupervisorPaths, launch: Launch) -> None:
    """Without a supervisor that listens: the launcher must not start the gateway again while it is being ended."""
    pid = read_json(paths.record(launch.slug)).get("launcher_pid")
    with contextlib.suppress(psutil.Error):
        if pid and "tenants.process.launcher" in psutil.Process(pid).cmdline():
            end_pids([pid], grace=launch.stop_seconds + _STOP_MARGIN_SECONDS)


def _remove_group(control: Control, launch: Launch) -> None:
    _stop_process(control, launch)
    _tolerate(control, "removeProcessGroup", program_name(launch.slug), faults=(_BAD_NAME,))


def _tolerate(control: Control, method: str, *arguments: Any, faults: tuple[int, ...], seconds: float = 10.0) -> None:
    try:
        control.call(method, *arguments, seconds=seconds)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in faults:
            raise
