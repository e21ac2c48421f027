"""`python -m toolchain cluster start|stop|status`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from toolchain.cluster.layout import DEFAULT_DATA
from toolchain.cluster.lifecycle import attach, start, stop
from toolchain.ground.surroundings import Surroundings


def add_parser(commands: Any) -> None:
    """Add `cluster` to the commands of the toolchain."""
    cluster = commands.add_parser("cluster", help="a real Kubernetes on this machine, for tests")
    actions = cluster.add_subparsers(dest="action", required=True)
    starting = actions.add_parser("start", help="start it (building it first where needed) and print its kubeconfig")
    starting.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help=f"default: {DEFAULT_DATA}")
    starting.add_argument("--kubeconfig", type=Path, metavar="FILE", help="leave a copy of the kubeconfig here")
    actions.add_parser("stop", help="end it and remove every trace of it")
    status = actions.add_parser("status", help="say whether it runs; exit code 0 if so")
    status.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace, around: Surroundings, console: Console) -> int:
    """One of the three; the answer is the exit code."""
    if options.action == "start":
        return _start(options, around, console)
    if options.action == "stop":
        there = stop()
        console.print("The test cluster is gone." if there else "No test cluster runs here.")
        return 0
    return _status(around, console, as_json=options.json)


def _start(options: argparse.Namespace, around: Surroundings, console: Console) -> int:
    cluster = start(data=options.data, kubeconfig=options.kubeconfig, stays=True, around=around, console=console)
    # Alone on the last line of the output, for scripts.
    sys.stdout.write(f"{options.kubeconfig or cluster.kubeconfig}\n")
    return 0


def _status(around: Surroundings, console: Console, *, as_json: bool) -> int:
    cluster = attach(around=around)
    if as_json:
        sys.stdout.write(json.dumps(_facts(around), indent=2) + "\n")
    elif cluster is None:
        console.print("No test cluster runs here. Start one with `python -m toolchain cluster start`.")
    else:
        for name, value in _facts(around).items():
            console.print(f"  {name}: {value}", markup=False, soft_wrap=True)
    return 0 if cluster else 1


def _facts(around: Surroundings) -> dict[str, Any]:
    cluster = attach(around=around)
    if cluster is None:
        return {"running": False}
    return {
        "running": True,
        "kubeconfig": str(cluster.kubeconfig),
        "data": str(cluster.layout.data),
        "image": cluster.image,
        "node": cluster.node,
        "openclaw": cluster.openclaw,
        "node_ip": cluster.node_ip,
        "storage_class": cluster.storage_class,
        "pids": cluster.pids,
    }
