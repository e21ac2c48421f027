"""One Stripe account: its objects, its clock, and the events that every change leaves behind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.stripe.model.config import StripeConfig
from sandbox.stripe.model.errors import missing_object
from sandbox.stripe.model.moments import due_moment
from sandbox.stripe.model.values import Clock, Json
from sandbox.stripe.objects.events import event_object
from sandbox.stripe.store.database import Database
from sandbox.stripe.store.records import IdempotencyKeys, RequestLog, Settings
from sandbox.stripe.store.repository import Condition, Events, Objects

NOUNS = {
    "checkout.session": "checkout.session",
    "invoiceitem": "invoiceitem",
    "payment_intent": "payment_intent",
}


class Outbox(Protocol):
    """Where events go when the operation that caused them is about to be committed."""

    def plan(self, events: list[Json]) -> None:
        """Decides deliveries, inside the transaction."""

    def wake(self) -> None:
        """Called after the commit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Which request an event came from; both None for what Stripe does by itself."""

    request: str | None = None
    idempotency_key: str | None = None


class Account:
    """All writes go through `operation`, so that objects, events and deliveries are committed together."""

    def __init__(self, config: StripeConfig, database: Database) -> None:
        self.config = config
        self.database = database
        self.objects = Objects(database)
        self.events = Events(database, config.keep_events)
        self.idempotency = IdempotencyKeys(database)
        self.requests = RequestLog(database, config.keep_requests)
        self.settings = Settings(database)
        self.clock = Clock(int(self.settings.get("clock_offset", 0)), config.now)
        self.outbox: Outbox | None = None
        self._cause = Cause()
        self._emitted: list[Json] = []
        self._moment: int | None = None

    @property
    def now(self) -> int:
        """The account's time in whole seconds; it stands still during an operation, as all its events share one second."""
        return self.clock.now() if self._moment is None else self._moment

    @contextmanager
    def operation(self, cause: Cause | None = None) -> Iterator[None]:
        """One thing that happens: all of its changes and events, or none. Operations do not nest or overlap."""
        self._cause, self._emitted, self._moment = cause or Cause(), [], self.clock.now()
        try:
            with self.database.transaction():
                yield
                if self.outbox is not None and self._emitted:
                    self.outbox.plan(self._emitted)
        finally:
            self._moment = None
        if self.outbox is not None and self._emitted:
            self.outbox.wake()

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Within an operation: everything done inside is undone at the end, events included."""
        emitted = len(self._emitted)
        self.database.connection.execute("SAVEPOINT rehearsal")
        try:
            yield
        finally:
            self.database.connection.execute("ROLLBACK TO rehearsal")
            self.database.connection.execute("RELEASE rehearsal")
            del self._emitted[emitted:]

    # reading ---------------------------------------------------------------------------------------------------------

    def find(self, identifier: str | None) -> Json | None:
        """The object with its private fields, or None."""
        return self.objects.get(identifier) if identifier else None

    def need(self, identifier: str, kind: str, *, param: str | None = None) -> Json:
        """The object of that kind. Raises resource_missing: 404 without `param`, 400 when `param` named it."""
        found = self.objects.get(identifier)
        if found is None or found["object"] != kind or found.get("deleted"):
            raise missing_object(NOUNS.get(kind, kind), identifier, param or "id", in_path=param is None)
        return found

    def every(self, kind: str, **equals: Any) -> list[Json]:
        """All objects of `kind` whose fields equal the values given; `__` in a name stands for a dot."""
        wanted = [Condition(field=name.replace("__", "."), operator="=", value=value) for name, value in equals.items()]
        return self.objects.every(kind, *wanted)

    # writing ---------------------------------------------------------------------------------------------------------

    def create(self, body: Json, event: str | None = None) -> Json:
        """Stores a new object and emits `event`."""
        self.objects.put(body, due=due_moment(body))
        if event:
            self.emit(event, body)
        return body

    def save(self, body: Json, event: str | None = None, *, always: bool = False) -> Json:
        """Stores a changed object; emits `event` with the old values of what changed.

        Nothing changed: no event, as with Stripe, unless `always` (a paid invoice is an event of its own).
        """
        before = self.objects.get(body["id"])
        previous = differences(before or {}, body)
        self.objects.put(body, due=due_moment(body))
        if event and (previous or always):
            self.emit(event, body, previous if event.endswith(".updated") else None)
        return body

    def remove(self, body: Json, event: str | None = None, *, remembered: bool = False) -> Json:
        """Forgets the object and answers Stripe's stub of a deleted one; `remembered` keeps the stub readable."""
        stub = {"id": body["id"], "object": body["object"], "deleted": True}
        if remembered:
            self.objects.put(stub, kind=f"deleted_{body['object']}")
        else:
            self.objects.delete(body["id"])
        if event:
            self.emit(event, body)
        return stub

    def emit(self, kind: str, body: Json, previous: Json | None = None) -> Json:
        """Records an event with a snapshot of the object."""
        endpoints = self.every("webhook_endpoint", status="enabled")
        event = event_object(
            kind=kind,
            created=self.now,
            snapshot=public(body),
            previous=previous,
            request=self._cause.request,
            idempotency_key=self._cause.idempotency_key,
            pending=sum(1 for endpoint in endpoints if wants(endpoint, kind)),
        )
        self.events.add(event)
        self._emitted.append(event)
        return event

    def advance_to(self, moment: int) -> None:
        """Moves the clock; kept over a restart."""
        self.clock.advance_to(moment)
        self.settings.put("clock_offset", self.clock.offset)


def wants(endpoint: Json, kind: str) -> bool:
    """Whether a webhook endpoint asked for events of this type."""
    return "*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"]


def public(body: Json) -> Json:
    """A copy without what only the stand-in may see (fields that begin with an underscore)."""
    return copy.deepcopy({name: value for name, value in body.items() if not name.startswith("_")})


def differences(before: Json, after: Json) -> Json:
    """Old values of changed public fields: hashes field by field, arrays whole (as `previous_attributes` does)."""
    changed: Json = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if name.startswith("_") or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed[name] = differences(old, new)
        else:
            changed[name] = old
    return changed
