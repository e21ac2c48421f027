"""Customers of tests: parents who sign up, pay and chat."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from stripe import StripeClient, Subscription

from services.cli.demonstration.observe import Observer
from services.cli.demonstration.parent import Parent, SignupForm
from services.cli.demonstration.world import STRIPE_KEY, World

CHATS = itertools.count(5001)


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A parent with an assistant of their own."""

    world: World
    observer: Observer
    parent: Parent
    signup_id: str
    slug: str

    @property
    def tenant(self) -> dict:
        return self.observer.tenant(self.slug)

    @property
    def pid(self) -> int:
        """The process that listens on the cell's port now; what was observed may be one restart old."""
        port = int(self.observed["endpoint"].rsplit(":", 1)[1])
        return self.world.await_(lambda: _listener(port), f"a gateway on port {port}", seconds=60)

    @property
    def observed(self) -> dict:
        return self.observer.cell(self.slug)["observed"]

    @property
    def folder(self) -> Path:
        return self.world.data / "cells" / self.slug

    def environ(self) -> dict[str, str]:
        """What the gateway's process holds in its environment: its placeholders."""
        return psutil.Process(self.pid).environ()

    def await_state(self, state: str, *, seconds: float = 180) -> dict:
        return self.observer.await_state(self.slug, state, seconds=seconds)

    def start_chat(self) -> str:
        """Open the deep link; returns the bot's greeting."""
        link = self.world.await_(lambda: self.observer.chat_url(self.signup_id), "the deep link", seconds=60)
        return self.parent.open_link(link)

    def change_plan(self, plan: str) -> None:
        """What Stripe's customer portal does when somebody chooses another plan."""
        stripe = self._stripe.v1
        [price] = stripe.prices.list({"lookup_keys": [f"clawstack_{plan}_month"]}).data
        subscription = self._subscription()
        item = subscription.to_dict()["items"]["data"][0]["id"]
        stripe.subscriptions.update(subscription.id, {"items": [{"id": item, "price": price.id}]})

    def cancel(self) -> None:
        """End the subscription at once."""
        self._stripe.v1.subscriptions.cancel(self._subscription().id)

    @property
    def _stripe(self) -> StripeClient:
        return StripeClient(STRIPE_KEY, base_addresses={"api": self.world.urls.stripe})

    def _subscription(self) -> Subscription:
        found = self._stripe.v1.subscriptions.list({"status": "active", "limit": 100})
        [mine] = [
            item for item in found.auto_paging_iter() if item.to_dict()["metadata"].get("signup_id") == self.signup_id
        ]
        return mine


def _listener(port: int) -> int | None:
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return connection.pid
    return None


def payer(world: World, observer: Observer) -> Callable[..., Customer]:
    """Signs up a parent and pays; returns once the tenant is wanted."""

    def pay(child: str, **form) -> Customer:
        parent = Parent(world, chat_id=next(CHATS), name=f"Parent of {child}")
        answers = (("child_name", child), ("child_birthday", "2025-09-01"))
        page = parent.sign_up(SignupForm(email=f"{child.lower()}@example.com", answers=answers, **form))
        signup_id = urlsplit(parent.pay(page)).path.rstrip("/").rsplit("/", 1)[1]
        slug = world.await_(lambda: observer.tenant_of_signup(signup_id), f"{child}'s tenant")
        return Customer(world=world, observer=observer, parent=parent, signup_id=signup_id, slug=slug)

    return pay
