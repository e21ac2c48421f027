"""`clawstack smoke URL`: does a platform that runs elsewhere sell, answer and let go?"""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clawstack.errors import InvalidInputError
from services.cli.output import Output
from services.cli.session import guarded

if TYPE_CHECKING:
    from services.cli.demonstration.telling import Telling
    from services.cli.staging.story import Wanted

_PATIENCE: Final = 900.0


def smoke(
    url: Annotated[str, typer.Argument(help="Public address of the platform, as https://staging.example.")],
    *,
    stripe_key: Annotated[
        str,
        typer.Option(envvar="SMOKE_STRIPE_KEY", show_envvar=True, help="Test key of the platform's Stripe account."),
    ] = "",
    token: Annotated[
        str, typer.Option(envvar="SMOKE_TOKEN", help="An operator's token: sees the answer to a person on Telegram.")
    ] = "",
    stripe_base: Annotated[str, typer.Option(help="Where Stripe's API is, for a stand-in.")] = "",
    plan: Annotated[str, typer.Option(help="What to buy.")] = "starter",
    email: Annotated[str, typer.Option(help="Who buys; by default an address that reaches nobody.")] = "",
    chat: Annotated[bool, typer.Option("--chat/--no-chat", help="Leave the conversation out.")] = True,
    patience: Annotated[float, typer.Option(min=1, help="Seconds for each wait.")] = _PATIENCE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Buy on a staging platform with Stripe's test card, wait for an answer, cancel, and see it gone.

    Everything is done from outside, as a customer would. Whatever fails, the subscription is cancelled. Keys of
    Stripe's live mode are refused, and so is a platform that sells for real money: nothing is paid then.

    On Telegram itself a person must write (bots cannot write to bots): the link is printed, and the operator's token
    shows that the assistant answered. With the Telegram stand-in nobody is needed.

    Keys come from the environment, so that they are in no list of processes: SMOKE_STRIPE_KEY=sk_test_... SMOKE_TOKEN=...
    `clawstack smoke https://staging.example`. Exit code 0: all steps were seen; 1: one was not, and which; 2: wrong usage.
    """
    from services.cli.demonstration.telling import Telling  # late: keeps `--help` fast
    from services.cli.staging.story import Wanted

    output = Output(json=as_json)
    telling = Telling(console=output.console)
    begun = time.monotonic()
    guarded(
        output,
        lambda: _told(
            telling, url, Keys(stripe=stripe_key, operator=token, stripe_base=stripe_base),
            Wanted(email=email or f"smoke-{secrets.token_hex(6)}@example.com", plan=plan),
            patience=patience, chats=chat,
        ),
    )  # fmt: skip
    seconds = round(time.monotonic() - begun, 1)
    if as_json:
        steps = [{"step": each.name, "seconds": round(each.seconds, 1), "seen": each.seen} for each in telling.steps]
        output.document({"ok": True, "url": url, "seconds": seconds, "steps": steps})
    output.line(f"All of it in {seconds:.0f} s; nothing is left at Stripe but a cancelled subscription.")


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What opens Stripe and the platform."""

    stripe: str = field(repr=False)
    operator: str = field(repr=False)
    stripe_base: str


def _told(telling: Telling, url: str, keys: Keys, wanted: Wanted, *, patience: float, chats: bool) -> None:
    from services.cli.staging.buying import Buyer  # late, as above
    from services.cli.staging.platform import Platform
    from services.cli.staging.story import StagingStory

    if not keys.stripe:
        raise InvalidInputError(
            "A test key of the platform's Stripe account is needed: it pays and cancels.",
            code="stripe_key_missing",
            remedy="Set SMOKE_STRIPE_KEY=sk_test_...",
        )
    buyer = Buyer(keys.stripe, base=keys.stripe_base)
    with closing(buyer), Platform(url, say=telling.say, token=keys.operator) as platform:
        StagingStory(platform, buyer, telling, patience=patience, chats=chats).run(wanted)
