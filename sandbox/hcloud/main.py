"""The command `python -m sandbox.hcloud`: the Hetzner stand-in alone.

Exit status: 0 after SIGINT or SIGTERM, 2 for wrong arguments, 1 when the address is taken.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.hcloud.app import create_app
from sandbox.hcloud.config import DEFAULT_TOKEN, Access, HcloudConfig
from sandbox.main import listen, until_stopped
from sandbox.server import QuietServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        listener = listen(args.host, args.port)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {args.host}:{args.port}: {error}. Choose another --port.\n")
        return 1
    accesses = tuple(Access(token=token) for token in args.token or [DEFAULT_TOKEN])
    config = HcloudConfig(accesses=accesses, data=args.data, action_seconds=args.action_seconds)
    with listener:
        told = addresses(f"http://{args.host}:{listener.getsockname()[1]}", accesses[0].token)
        server = QuietServer(create_app(config), listener, told_when_ready=told, ready_file=args.ready_file)
        asyncio.run(until_stopped(server))
    return 0


def addresses(root: str, token: str) -> dict[str, Any]:
    """Return what the ready line says: endpoint and token for clients, and where tests order trouble."""
    return {"hcloud_endpoint": f"{root}/v1", "hcloud_token": token, "hcloud_control": f"{root}/_control"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.hcloud", description="Stand-in for the Hetzner Cloud API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, default=None, help="folder for state that survives a restart")
    parser.add_argument("--ready-file", type=Path, help="file that gets the ready line, too")
    parser.add_argument("--token", action="append", default=[], help="accepted token; may be given again")
    parser.add_argument(
        "--action-seconds", type=float, default=0.2, help="how long actions take (default: %(default)s)"
    )
    return parser
