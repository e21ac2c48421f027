"""The command `python -m sandbox`: serves the chosen stand-ins on one port until it is told to stop.

Exit status: 0 after SIGINT or SIGTERM, 2 for wrong arguments, 1 when the address is taken.
"""

import argparse
from collections.abc import Sequence

from starlette.applications import Starlette

from sandbox.assembly import PARTS, Options, addresses, create_app
from sandbox.frame.command import add_arguments, run
from sandbox.frame.values import Json
from sandbox.llm.config import DEFAULT_KEY
from sandbox.telegram.model.config import DEFAULT_TOKEN, DEFAULT_USERNAME, BotAccount


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = _parser()
    args = parser.parse_args(arguments)
    options = _options(parser, args)

    def prepare(port: int) -> tuple[Starlette, Json]:
        there = options.on_port(port)
        return create_app(there), addresses(there)

    return run(options.host, options.port, args.ready_file, prepare)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Stand-ins for Stripe, Telegram, a model vendor, Hetzner."
    )
    add_arguments(parser)
    parser.add_argument("--only", default=",".join(PARTS), help="parts to serve, of: %(default)s")
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


def _options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Options:
    only = tuple(part for part in args.only.split(",") if part)
    if unknown := set(only) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    if bool(args.stripe_webhook_url) != bool(args.stripe_webhook_secret):
        parser.error("--stripe-webhook-url and --stripe-webhook-secret belong together")
    return Options(
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


def _bot(parser: argparse.ArgumentParser, text: str) -> BotAccount:
    username, _, token = text.partition("=")
    if not username or not token.partition(":")[0].isdigit():
        parser.error(f"--telegram-bot wants USERNAME=123456789:AA..., not {text!r}")
    return BotAccount(username=username, token=token, name=username)
