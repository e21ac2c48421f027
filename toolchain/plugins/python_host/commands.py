"""The command lines and environments that programs and policy packs are started with. Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pulumi.runtime.proto import language_pb2

from clawstack.plugin_server.values import to_python


def interpreter(info: language_pb2.ProgramInfo, default: str, environ: Mapping[str, str]) -> str:
    """The program's own virtual environment, else `PULUMI_PYTHON_CMD`, else the one this host runs on."""
    folder = to_python(info.options).get("virtualenv")
    if isinstance(folder, str) and folder:
        own = Path(info.root_directory, folder, "bin", "python")
        if own.exists():
            return str(own)
    return environ.get("PULUMI_PYTHON_CMD") or default


def program_path(info: language_pb2.ProgramInfo) -> str:
    """The file or folder that Python runs."""
    if info.entry_point in {"", "."}:
        return info.program_directory
    return os.path.join(info.program_directory, info.entry_point)  # noqa: PTH118 - keeps absolute entries as they are


def run_command(request: language_pb2.RunRequest, *, python: str, runner: Path, engine: str) -> list[str]:
    """Starts a local program through Pulumi's own runner script."""
    return [
        python,
        "-u",
        str(runner),
        *("--monitor", request.monitor_address),
        *("--engine", engine),
        *("--project", request.project),
        *("--stack", request.stack),
        *("--organization", request.organization or "organization"),
        *("--root_directory", request.info.root_directory),
        *("--pwd", request.pwd),
        *("--dry_run", "true" if request.dryRun else "false"),
        *("--parallel", str(request.parallel)),
        *("--tracing", ""),
        program_path(request.info),
        *request.args,
    ]


def run_environment(request: language_pb2.RunRequest, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a local program; configuration travels in it, never in the arguments that others can see."""
    return {
        **environ,
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def plugin_command(request: language_pb2.RunPluginRequest, *, python: str) -> list[str]:
    """Starts a policy pack, or any other plugin that is a Python program."""
    if request.kind == "analyzer":
        # One interpreter: the official host asks a second one beforehand whether the module is there.
        return [python, "-u", "-m", "pulumi.policy", *request.args, request.info.program_directory]
    return [python, "-u", program_path(request.info), *request.args]


def plugin_environment(request: language_pb2.RunPluginRequest, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that the engine sends, which starts from its own; later entries win."""
    sent = dict(entry.split("=", 1) for entry in request.env if "=" in entry)
    return sent or dict(environ)
