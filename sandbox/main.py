"""The command `python -m sandbox`: serves the chosen stand-ins on one port until it is told to stop.

Exit status: 0 after SIGINT or SIGTERM, 2 for wrong arguments, 1 when the address is taken.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.assembly import PARTS, Options, addresses, create_app
from sandbox.llm.config import DEFAULT_KEY
from sandbox.server import QuietServer, serve
from sandbox.telegram.config import DEFAULT_TOKEN, DEFAULT_USERNAME, BotAccount


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = _parser()
    options, ready_file = _options(parser, parser.parse_args(arguments))
    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {options.host}:{options.port}: {error}. Choose another --port.\n")
        return 1
    with listener:
        options = options.on_port(listener.getsockname()[1])
        app = create_app(options)
        server = QuietServer(app, listener, told_when_ready=addresses(options), ready_file=ready_file)
        asyncio.run(until_stopped(server))
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises OSError when the address is taken."""
    # The protocol is named: with 0 asyncio leaves Nagle's algorithm on, and answers wait up to 40 ms (measured).
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


async def until_stopped(server: QuietServer) -> None:
    """Serve until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, server.stop)
    await serve(server)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Stand-ins for Stripe, Telegram, a model vendor, Hetzner."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, default=None, help="folder for state that survives a restart")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to serve, of: %(default)s")
    parser.add_argument("--ready-file", type=Path, help="file that gets the ready line, too")
    stripe = parser.add_argument_group("stripe")
    stripe.add_argument("--stripe-webhook-url", default="", help="where events are sent")
    stripe.add_argument("--stripe-webhook-secret", default="", help="what signs them (whsec_...)")
    stripe.add_argument("--stripe-api-key", action="append", default=[], help="accepted key; may be given again")
    telegram = parser.add_argument_group("telegram")
    telegram.add_argument(
        "--telegram-bot",
        action="append",
        default=[],
        metavar="USERNAME=TOKEN",
        help=f"a bot; may be given again (default: {DEFAULT_USERNAME}={DEFAULT_TOKEN})",
    )
    llm = parser.add_argument_group("llm")
    llm.add_argument(
        "--llm-key", action="append", default=[], help=f"accepted key; may be given again (default: {DEFAULT_KEY})"
    )
    llm.add_argument("--llm-first-token-ms", type=float, default=0.0, help="pause before an answer begins")
    llm.add_argument("--llm-chunk-ms", type=float, default=0.0, help="pause after each piece of a stream")
    hcloud = parser.add_argument_group("hcloud")
    hcloud.add_argument("--hcloud-token", action="append", default=[], help="accepted token; may be given again")
    hcloud.add_argument("--hcloud-action-seconds", type=float, default=0.2, help="how long actions take")
    return parser


def _options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> tuple[Options, Path | None]:
    only = tuple(part for part in args.only.split(",") if part)
    if unknown := set(only) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    if bool(args.stripe_webhook_url) != bool(args.stripe_webhook_secret):
        parser.error("--stripe-webhook-url and --stripe-webhook-secret belong together")
    options = Options(
        host=args.host,
        port=args.port,
        data=args.data,
        parts=only,
        stripe_webhook_url=args.stripe_webhook_url,
        stripe_webhook_secret=args.stripe_webhook_secret,
        stripe_api_keys=tuple(args.stripe_api_key),
        bots=tuple(_bot(parser, text) for text in args.telegram_bot),
        llm_keys=frozenset(args.llm_key),
        llm_first_token_ms=args.llm_first_token_ms,
        llm_chunk_ms=args.llm_chunk_ms,
        hcloud_tokens=tuple(args.hcloud_token),
        hcloud_action_seconds=args.hcloud_action_seconds,
    )
    return options, args.ready_file


def _bot(parser: argparse.ArgumentParser, text: str) -> BotAccount:
    username, _, token = text.partition("=")
    if not username or not token.partition(":")[0].isdigit():
        parser.error(f"--telegram-bot wants USERNAME=123456789:AA..., not {text!r}")
    return BotAccount(username=username, token=token, name=username)
