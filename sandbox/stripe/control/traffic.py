"""Control over what travels: webhooks, hostile mode, API failures, the logs of both."""

from __future__ import annotations

from sandbox.stripe.control.targets import install_target
from sandbox.stripe.delivery.hostile import Hostile, Planned
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.model.config import WebhookTarget
from sandbox.stripe.model.errors import missing_object
from sandbox.stripe.model.faults import Faults
from sandbox.stripe.model.values import API_VERSION, Json
from sandbox.stripe.store.account import Account, public


class TrafficActions:
    """Each method takes the request's JSON and answers JSON."""

    def __init__(self, account: Account, dispatcher: Dispatcher, faults: Faults) -> None:
        self.account = account
        self.dispatcher = dispatcher
        self.faults = faults

    async def state(self, _: Json) -> Json:
        """Everything at a glance."""
        endpoints = self.account.every("webhook_endpoint")
        return {
            "api_version": API_VERSION,
            "now": self.account.now,
            "clock_offset": self.account.clock.offset,
            "hostile": self.dispatcher.hostile.as_json(),
            "faults": self.faults.listed(),
            "deliveries": self.dispatcher.deliveries.counts(),
            "webhook_endpoints": [
                {"id": entry["id"], "url": entry["url"], "status": entry["status"]} for entry in endpoints
            ],
        }

    async def webhook(self, values: Json) -> Json:
        """{url, secret, events?}: where events go, and what signs them."""
        target = WebhookTarget(url=values["url"], secret=values["secret"])
        return public(install_target(self.account, target, values.get("events")))

    async def set_hostile(self, values: Json) -> Json:
        """The whole mode at once; {} ends it."""
        self.dispatcher.set_hostile(Hostile.parse(values))
        return self.dispatcher.hostile.as_json()

    async def get_hostile(self, _: Json) -> Json:
        """The mode now."""
        return self.dispatcher.hostile.as_json()

    async def flush(self, values: Json) -> Json:
        """{timeout?: seconds, hurry?}: waits until every delivery is settled; `hurry` skips pauses between attempts."""
        idle = await self.dispatcher.idle(float(values.get("timeout", 10)), hurry=bool(values.get("hurry", True)))
        return {"idle": idle, "deliveries": self.dispatcher.deliveries.counts()}

    async def resend(self, values: Json) -> Json:
        """{event, times?}: delivers a recorded event once more to every enabled endpoint, whatever hostile mode says."""
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

    async def emit(self, values: Json) -> Json:
        """{type, id} or {type, object}: an event that nothing caused, of any type, about any object."""
        found = self.account.find(values.get("id")) or values.get("object")
        if not isinstance(found, dict):
            raise ValueError("Give `id` of an object that exists, or a whole `object`.")  # noqa: TRY004 - caller's input
        with self.account.operation():
            return self.account.emit(str(values["type"]), found, values.get("previous_attributes"))

    async def deliveries(self, values: Json) -> Json:
        """?event=&state=&limit=: newest first, with every attempt."""
        rows = self.dispatcher.deliveries.latest(
            int(values.get("limit", 100)), event=values.get("event"), state=values.get("state")
        )
        return {"counts": self.dispatcher.deliveries.counts(), "data": rows}

    async def requests(self, values: Json) -> Json:
        """?limit=: API requests, newest first."""
        return {"data": self.account.requests.latest(int(values.get("limit", 100)))}

    async def clear_requests(self, _: Json) -> Json:
        """Empties the request log."""
        self.account.requests.clear()
        return {"data": []}

    async def fail(self, values: Json) -> Json:
        """{kind, count?, match?, after_effect?, retry_after?, seconds?}: the next requests that match go wrong."""
        self.faults.add(values)
        return {"faults": self.faults.listed()}

    async def clear_faults(self, _: Json) -> Json:
        """Everything works again."""
        self.faults.clear()
        return {"faults": []}
