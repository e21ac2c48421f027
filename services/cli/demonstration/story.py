"""One parent's story, from the sign-up page to the cancelled subscription, each step observed and timed."""

from __future__ import annotations

import json
import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import stripe
from rich.markup import escape

from clawstack.errors import PermanentError
from services.cli.demonstration.evidence import Evidence, ProcessEvidence
from services.cli.demonstration.observe import Observer
from services.cli.demonstration.parent import Parent, SignupForm
from services.cli.demonstration.telling import Telling
from services.cli.demonstration.world import STRIPE_KEY, World

_PATIENCE: Final = 600.0
"""Seconds for what shows no sign of life of its own while it is waited for; a busy machine needs them."""


class Story:
    """Tells itself step by step; raises when a step was not observed."""

    def __init__(
        self, world: World, telling: Telling, evidence: Evidence | None = None, *, starts: bool = True
    ) -> None:
        """`evidence`: how to see cells; by default as processes of this machine.

        `starts`: whether the story begins with starting the world, or in one that runs.
        """
        self._world = world
        self._starts = starts
        world.say = lambda line: telling.say(f"    [dim]{escape(line)}[/dim]")
        self._evidence = evidence or ProcessEvidence(world=world)
        self._tell = telling
        self._stripe: stripe.StripeClient
        self._parent: Parent
        self._observer: Observer
        self.slug = ""
        self.signup_id = ""

    def until_live(self) -> None:
        """From nothing to an assistant that has answered and whose tokens are on the ledger."""
        if self._starts:
            self._everything_starts()
        self._people_come()
        self._signs_up()
        self._is_provisioned()
        self._chats()
        self._is_metered()

    def ends(self) -> None:
        """The subscription is cancelled; nothing is left but the backup."""
        mark = self._evidence.mark_of(self.slug, self._observer.cell(self.slug)["observed"])
        with self._tell.step("Sam cancels the subscription") as step:
            subscription = self._subscription()
            self._stripe.v1.subscriptions.cancel(subscription)
            step.seen = f"{subscription} cancelled at Stripe"
        with self._tell.step("pulumi destroy: backup, gateway, state, secrets") as step:
            self._observer.await_state(self.slug, "deleted")
            step.seen = self._evidence.require_gone(self.slug, mark)
        with self._tell.step("The backup is kept") as step:
            step.seen = self._kept_backup()

    def _everything_starts(self) -> None:
        with self._tell.step("Stand-ins, PostgreSQL, migrations and services start") as step:
            self._world.start()
            step.seen = f"{self._world.urls.platform}/readyz answers"

    def _people_come(self) -> None:
        says = "Plans get their prices at Stripe, an operator gets a token"
        with self._tell.step(says) as step, ThreadPoolExecutor(2) as pool:
            prices = pool.submit(self._world.run, "admin", "stripe-setup", "--json")
            self._observer = Observer(self._world)
            step.seen = f"{len(json.loads(prices.result()))} prices"
        http = stripe.RequestsClient()
        self._world.at_close(http.close)
        self._stripe = stripe.StripeClient(
            STRIPE_KEY, base_addresses={"api": self._world.urls.stripe}, http_client=http
        )
        self._parent = Parent(self._world)

    def _signs_up(self) -> None:
        with self._tell.step("Sam signs up: e-mail, plan, Emma's name and birthday") as step:
            payment_page = self._parent.sign_up(SignupForm())
            step.seen = "sent to Stripe's page"
        with self._tell.step("Sam pays; Stripe sends a signed event") as step:
            welcome = self._parent.pay(payment_page)
            self.signup_id = urllib.parse.urlsplit(welcome).path.rstrip("/").rsplit("/", 1)[1]
            self.slug = self._world.await_(
                lambda: self._observer.tenant_of_signup(self.signup_id), "the tenant to be wanted", seconds=_PATIENCE
            )
            step.seen = f"tenant {self.slug} is wanted"

    def _is_provisioned(self) -> None:
        with self._tell.step("pulumi up with the policy pack: a cell with a real OpenClaw gateway") as step:
            self._observer.await_state(self.slug, "healthy")
            observed = self._observer.cell(self.slug)["observed"]
            step.seen = f"{observed['endpoint']}, {self._evidence.mark_of(self.slug, observed)}"
        events = self._observer.get(f"/v1/tenants/{self.slug}/events")
        for event in events:
            self._tell.say(f"    [dim]{event['message']}[/dim]")
        self._tell.count_for_gateway(self._evidence.gateway_seconds(self.slug, events))

    def _chats(self) -> None:
        link = self._world.await_(lambda: self._observer.chat_url(self.signup_id), "the deep link", seconds=_PATIENCE)
        with self._tell.step("Sam opens the Telegram link and presses Start") as step:
            step.seen = _short(self._parent.open_link(link))
        with self._tell.step('Sam writes "hi", the assistant answers') as step:
            reply = self._parent.say("hi")
            if "Emma" not in reply:
                raise PermanentError(f"The answer does not know Emma: {reply!r}")
            step.seen = _short(reply)
        self._tell.count_for_gateway(step.seconds)
        self._tell.say(f"    [bold]Emma's assistant:[/bold] {reply}")

    def _is_metered(self) -> None:
        with self._tell.step("The tokens are on the tenant's ledger") as step:
            tokens = self._world.await_(
                lambda: self._observer.ledger_tokens(self.slug), "the ledger", seconds=_PATIENCE
            )
            step.seen = f"{tokens} tokens"

    def _subscription(self) -> str:
        found = self._stripe.v1.subscriptions.list({"status": "active", "limit": 100})
        mine = [
            item.id
            for item in found.auto_paging_iter()
            if item.to_dict()["metadata"].get("signup_id") == self.signup_id
        ]
        if len(mine) != 1:
            raise PermanentError(f"Stripe knows {len(mine)} subscriptions of this sign-up.")
        return mine[0]

    def _kept_backup(self) -> str:
        backups = self._observer.get(f"/v1/tenants/{self.slug}/backups")["items"]
        folder = self._world.data / "backups" / self.slug
        kept = [item for item in backups if item["verified_at"] and (folder / item["name"]).is_file()]
        if not kept:
            raise PermanentError(f"No verified backup of {self.slug} is kept: {backups}")
        return f"{kept[0]['name']}, {kept[0]['size'] // 1024} KiB, encrypted, verified"


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:70]
