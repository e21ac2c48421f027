"""What the control interface can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandbox.stripe.account import Account
from sandbox.stripe.cards import Card, parse_number
from sandbox.stripe.config import WebhookTarget
from sandbox.stripe.control.targets import install_target
from sandbox.stripe.delivery.hostile import Hostile, Planned
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.engine import checkout
from sandbox.stripe.errors import CardError, missing_object
from sandbox.stripe.faults import Faults
from sandbox.stripe.values import Json

Row = tuple[str, str, Callable[[Json], Awaitable[Json]]]


class Actions:
    """Each method takes the request's JSON (and path and query parameters) and answers JSON."""

    def __init__(self, account: Account, dispatcher: Dispatcher, faults: Faults) -> None:
        self.account = account
        self.dispatcher = dispatcher
        self.faults = faults

    def table(self) -> list[Row]:
        """Method, path below /_control, action."""
        return [
            ("POST", "webhook", self.webhook),
            ("POST", "hostile", self.set_hostile),
            ("GET", "hostile", self.get_hostile),
            ("POST", "pay", self.pay),
            ("POST", "flush", self.flush),
            ("POST", "resend", self.resend),
            ("GET", "deliveries", self.deliveries),
            ("GET", "requests", self.requests),
        ]

    async def webhook(self, values: Json) -> Json:
        """{url, secret, events?}: where events go."""
        target = WebhookTarget(url=values["url"], secret=values["secret"])
        endpoint = install_target(self.account, target, values.get("events"))
        return {"id": endpoint["id"], "url": endpoint["url"], "enabled_events": endpoint["enabled_events"]}

    async def set_hostile(self, values: Json) -> Json:
        """Replaces the whole mode; {} ends it."""
        self.dispatcher.set_hostile(Hostile.parse(values))
        return self.dispatcher.hostile.as_json()

    async def get_hostile(self, _: Json) -> Json:
        """The mode now."""
        return self.dispatcher.hostile.as_json()

    async def pay(self, values: Json) -> Json:
        """{session, card?, email?, name?}: what a person does on the page."""
        card = Card(number=parse_number(values.get("card", "4242424242424242")))
        return pay_session(self.account, values["session"], card, email=values.get("email"), name=values.get("name"))

    async def flush(self, values: Json) -> Json:
        """{timeout?, hurry?}: waits until every delivery is settled."""
        idle = await self.dispatcher.idle(float(values.get("timeout", 10)), hurry=bool(values.get("hurry", True)))
        return {"idle": idle, "deliveries": self.dispatcher.deliveries.counts()}

    async def resend(self, values: Json) -> Json:
        """{event, times?}: delivers a recorded event once more to every enabled endpoint."""
        event = self.account.events.get(values["event"])
        if event is None:
            raise missing_object("event", values["event"], in_path=True)
        endpoints = self.account.every("webhook_endpoint", status="enabled")
        with self.account.operation():
            made = [
                self.dispatcher.deliveries.add(
                    Planned(event=event["id"], endpoint=endpoint["id"], wait=0), event["type"]
                )
                for _ in range(int(values.get("times", 1)))
                for endpoint in endpoints
            ]
        self.dispatcher.wake()
        return {"deliveries": made}

    async def deliveries(self, values: Json) -> Json:
        """?event=&state=&limit=: newest first, every attempt included."""
        rows = self.dispatcher.deliveries.latest(
            int(values.get("limit", 100)), event=values.get("event"), state=values.get("state")
        )
        return {"counts": self.dispatcher.deliveries.counts(), "data": rows}

    async def requests(self, values: Json) -> Json:
        """?limit=: API requests, newest first."""
        return {"data": self.account.requests.latest(int(values.get("limit", 100)))}


def pay_session(account: Account, session: str, card: Card, *, email: str | None, name: str | None) -> Json:
    """Pays; a refusal is recorded, then raised."""
    refused: CardError | None = None
    body: Json = {}
    with account.operation():
        try:
            body = checkout.pay(account, account.need(session, "checkout.session"), card, email=email, name=name)
        except CardError as error:
            refused = error
    if refused is not None:
        raise refused
    return {name: value for name, value in body.items() if not name.startswith("_")}
