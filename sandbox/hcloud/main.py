"""The command `python -m sandbox.hcloud`: the Hetzner stand-in alone.

Exit status: 0 after SIGINT or SIGTERM, 2 for wrong arguments, 1 when the address is taken.
"""

import argparse
from collections.abc import Sequence

from starlette.applications import Starlette

from sandbox.frame.command import add_arguments, run
from sandbox.frame.values import Json
from sandbox.hcloud.app import create_app
from sandbox.hcloud.model.config import DEFAULT_TOKEN, Access, HcloudConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = _parser().parse_args(arguments)
    accesses = tuple(Access(token=token) for token in args.token or [DEFAULT_TOKEN])
    config = HcloudConfig(accesses=accesses, data=args.data, action_seconds=args.action_seconds)

    def prepare(port: int) -> tuple[Starlette, Json]:
        return create_app(config), config.addresses(f"http://{args.host}:{port}")

    return run(args.host, args.port, args.ready_file, prepare)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.hcloud", description="Stand-in for the Hetzner Cloud API.")
    add_arguments(parser)
    parser.add_argument("--token", action="append", default=[], help="accepted token; may be given again")
    parser.add_argument(
        "--action-seconds", type=float, default=0.2, help="how long actions take (default: %(default)s)"
    )
    return parser
