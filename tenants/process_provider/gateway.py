"""`clawstack:process:Gateway`: configuration, workspace, supervisor program and the running process of a cell."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from clawstack.errors import ClawstackError
from clawstack.plugin_server.values import reveal
from clawstack.vocabulary import Desired
from tenants.paths import CellPaths
from tenants.process import directories, readiness, supervision
from tenants.process.files import write_file
from tenants.process.launch import Launch, Limits
from tenants.process_provider.handler import (
    Handler,
    InputProblem,
    NotReadyError,
    Properties,
    ReadResource,
    Resource,
    Work,
)
from tenants.process_provider.state_directory import ids_of, operation_lock, root_problems

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DESIRED: Final = (Desired.RUNNING.value, Desired.SUSPENDED.value)
_FILE_NAME: Final = re.compile(r"[A-Z][A-Z0-9_-]{0,40}\.md")
_READY_SECONDS: Final = 180.0
"""Measured 6 to 15 s; a loaded machine or a migration of the state takes longer."""
_STOP_SECONDS: Final = 30.0
"""A turn in progress may take this long to finish. Idle gateways exit in 2 s."""
_GROUP_MAY_READ: Final = 0o640


class GatewayHandler(Handler):
    """The id is the cell's slug."""

    inputs: frozenset[str] = frozenset({
        "slug", "root", "uid", "gid", "supervisor", "node", "openclaw", "version", "bindHost", "port", "reaches", "config",
        "workspace", "environment", "secretEnvironment", "limits", "desired", "restartNonce", "labels",
    })  # fmt: skip
    secret_inputs: frozenset[str] = frozenset({"secretEnvironment", "workspace"})
    replacing: frozenset[str] = frozenset({"slug", "root", "supervisor"})
    computed: frozenset[str] = frozenset({"endpoint", "pid"})

    @override
    def check(self, inputs: Mapping[str, Any]) -> list[InputProblem]:
        """Loopback only, a configuration that fits the port and holds no secret, names that are names."""
        problems = root_problems(inputs)
        if "bindHost" in inputs and inputs["bindHost"] not in _LOOPBACK:
            problems.append(
                InputProblem(property="bindHost", reason="a process cell listens on loopback only: 127.0.0.1")
            )
        if "desired" in inputs and inputs["desired"] not in _DESIRED:
            problems.append(InputProblem(property="desired", reason=f"choose one of: {', '.join(_DESIRED)}"))
        problems += [
            InputProblem(property="workspace", reason=f"{name[:40]!r} is not a persona file such as USER.md")
            for name in inputs.get("workspace", {})
            if not _FILE_NAME.fullmatch(name)
        ]
        return problems + _config_problems(inputs)

    @override
    def drift(self, resource_id: str, inputs: Mapping[str, Any]) -> frozenset[str]:
        """A gateway that does not run as wanted, or a configuration file that somebody edited."""
        found = set()
        if observed_desired(inputs) != inputs.get("desired"):
            found.add("desired")
        if _config_on_disk(inputs) != inputs.get("config"):
            found.add("config")
        return frozenset(found)

    @override
    def create(self, inputs: Properties, work: Work) -> Resource:
        """Write the files, start the gateway (unless suspended), wait until it is ready."""
        plain = reveal(inputs)
        with operation_lock(plain):
            return self._converge(inputs, plain, work)

    @override
    def read(self, resource_id: str, inputs: Properties, properties: Properties) -> ReadResource | None:
        """Tells a stopped gateway and an edited file as changed inputs, so that the next update mends them.

        Never says "gone": the supervisor's program of this cell must stay known until Delete.
        """
        plain = reveal(inputs)
        seen = {**inputs, "desired": observed_desired(plain), "config": _config_on_disk(plain)}
        status = supervision.status(Path(plain["supervisor"]), plain["slug"])
        version = status.version or plain["version"]
        return ReadResource(
            id=resource_id,
            inputs={**seen, "version": version},
            properties={**properties, **seen, "version": version, "pid": status.pid or 0},
        )

    @override
    def update(self, resource: Resource, new: Properties, work: Work) -> Resource:
        """Hot where OpenClaw allows it, else with a restart."""
        plain = reveal(new)
        with operation_lock(plain):
            return self._converge(new, plain, work)

    @override
    def delete(self, resource: Resource, work: Work) -> None:
        """End the whole process tree and forget the program; the files are the state directory's."""
        plain = reveal(resource.properties)
        with operation_lock(plain):
            supervision.stop(Path(plain["supervisor"]), launch_of(plain))

    def _converge(self, inputs: Properties, plain: Mapping[str, Any], work: Work) -> Resource:
        launch, folder = launch_of(plain), Path(plain["supervisor"])
        if plain["desired"] != Desired.RUNNING:
            supervision.stop(folder, launch)
            _write_files(plain)
            return _resource(inputs, plain, pid=0)
        readiness.require_free_port(launch)
        _write_files(plain)
        since = time.time()
        try:
            supervision.start(folder, launch)
            pid = readiness.wait_started(
                folder,
                launch,
                version=plain["version"],
                since=since,
                seconds=work.seconds or _READY_SECONDS,
                cancelled=work.cancelled,
            )
        except ClawstackError as error:
            raise NotReadyError(_resource(inputs, plain, pid=0), error) from error
        return _resource(inputs, plain, pid=pid)


def launch_of(plain: Mapping[str, Any]) -> Launch:
    """What the launcher is to start."""
    ids, limits = ids_of(plain), plain["limits"]
    paths = CellPaths(root=Path(plain["root"]))
    return Launch(
        slug=plain["slug"],
        root=plain["root"],
        argv=(plain["node"], plain["openclaw"], "gateway", "--port", str(plain["port"])),
        environment={**plain["environment"], **plain["secretEnvironment"]},
        directory=str(paths.workspace),
        port=int(plain["port"]),
        reaches=tuple(plain["reaches"]),
        uid=ids.uid if ids else None,
        gid=ids.gid if ids else None,
        limits=Limits(
            memory_mb=int(limits["memoryMb"]),
            cpu=float(limits["cpu"]),
            disk_mb=int(limits["diskMb"]),
            max_processes=int(limits["maxProcesses"]),
            max_open_files=int(limits["maxOpenFiles"]),
        ),
        stop_seconds=_STOP_SECONDS,
        nonce=f"{plain['restartNonce']}:{_cold(plain['config'])}",
    )


def observed_desired(plain: Mapping[str, Any]) -> str:
    """What the machine looks like, in the words of the input: "running", "suspended" or "stopped"."""
    status = supervision.status(Path(plain["supervisor"]), plain["slug"])
    match status.state:
        case supervision.GatewayState.RUNNING | supervision.GatewayState.STARTING:
            return "running"
        case supervision.GatewayState.STOPPED if plain.get("desired") == Desired.SUSPENDED:
            return "suspended"
        case _:
            return "stopped"


def _write_files(plain: Mapping[str, Any]) -> None:
    paths, ids = CellPaths(root=Path(plain["root"])), ids_of(plain)
    directories.write_workspace(paths, plain["workspace"], ids)
    mode = _GROUP_MAY_READ if ids else 0o600
    write_file(paths.config, plain["config"], mode=mode, group=ids.gid if ids else None)


def _config_on_disk(plain: Mapping[str, Any]) -> str:
    try:
        return CellPaths(root=Path(plain["root"])).config.read_text(encoding="utf-8")
    except OSError:
        return ""


def _resource(inputs: Properties, plain: Mapping[str, Any], *, pid: int) -> Resource:
    endpoint = f"http://{plain['bindHost']}:{plain['port']}"
    return Resource(id=plain["slug"], properties={**inputs, "endpoint": endpoint, "pid": pid})


def _cold(config: str) -> str:
    """Digest of what OpenClaw reads only at its start (`gateway/configuration/hot-reload.md`): the rest is hot."""
    parts = json.loads(config)
    cold = {name: parts.get(name) for name in ("gateway", "discovery", "plugins")}
    return hashlib.sha256(json.dumps(cold, sort_keys=True).encode()).hexdigest()[:16]


def _config_problems(inputs: Mapping[str, Any]) -> list[InputProblem]:
    if "config" not in inputs:
        return []
    try:
        config = json.loads(inputs["config"])
        gateway = config["gateway"]
        bind, port = gateway["bind"], gateway["port"]
    except (ValueError, KeyError, TypeError):
        return [InputProblem(property="config", reason="it is no JSON object with gateway.bind and gateway.port")]
    problems = []
    if bind != "loopback":
        problems.append(InputProblem(property="config", reason=f"gateway.bind is {bind!r}; it must be 'loopback'"))
    if "port" in inputs and port != inputs["port"]:
        problems.append(
            InputProblem(property="config", reason=f"gateway.port is {port!r}, the input port {inputs['port']!r}")
        )
    secrets = [value for value in inputs.get("secretEnvironment", {}).values() if len(value) >= 8]  # noqa: PLR2004
    if any(secret in inputs["config"] for secret in secrets):
        problems.append(InputProblem(property="config", reason="it holds a secret in the clear; use ${NAME} instead"))
    return problems
