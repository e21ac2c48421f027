"""The platform's billing and sign-up as a running server, the Stripe stand-in as a process of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import procrastinate
import stripe
import uvicorn
from fastapi import FastAPI
from sqlalchemy import func, select, text

from services.business.billing import catalogue
from services.business.billing.stripe_access import StripeAccess
from services.kit.parts import Part
from services.run.context import ProcessPlatform
from services.run.factory import create_app
from services.run.parts.billing import create_part as create_billing_part
from services.run.parts.signups import create_part as create_onboarding_part
from services.run.serving import server_config
from services.tables.billing import Signup, StripeEvent, Subscription
from services.tables.tenants import Tenant
from tests.waiting import await_ready, patient

SECRET = "whsec_integration_test_0123456789"
KEY = "sk_test_clawstack"
GOOD, DECLINED = "4242424242424242", "4000000000000002"
Json = dict[str, Any]

ORDER: Json = {
    "email": "parent@example.com",
    "plan": "starter",
    "period": "month",
    "bundle": "parenting",
    "answers": {"child_name": "Emma", "child_birthday": "2025-09-14"},
}


class StandIn:
    """`python -m sandbox --only stripe` over one folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.base = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        ready = self._data / "ready.json"
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(self._data)]
        command += ["--only", "stripe", "--ready-file", str(ready), "--stripe-api-key", KEY]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        await_ready(self.process, ready)
        self.base = json.loads(ready.read_text())["stripe_api_base"]

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(patient(10))


@dataclass
class World:
    """Everything that a test needs to act and to look."""

    platform: ProcessPlatform
    app: FastAPI
    stand_in: StandIn
    url: str
    parts: tuple[Part, ...]
    http: httpx.AsyncClient
    """Talks to the platform."""
    outside: httpx.AsyncClient
    """Talks to the stand-in's control interface."""
    webhook: str = ""
    """Id of the webhook endpoint at the stand-in."""

    async def control(self, path: str, **values: Any) -> Json:
        answer = await self.outside.post(f"{self.stand_in.base}/_control/{path}", json=values)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def buy(self, *, card: str = GOOD, **changes: Any) -> str:
        """Sign up through the API and pay; returns the sign-up's id. Webhooks have arrived when it returns."""
        signup_id, session = await self.order(**changes)
        await self.control("pay", session=session, card=card)
        await self.control("flush", timeout=20)
        return signup_id

    async def order(self, **changes: Any) -> tuple[str, str]:
        """Sign up without paying; returns the ids of sign-up and Checkout Session."""
        answer = await self.http.post("/v1/checkout", json=ORDER | changes)
        assert answer.status_code == 201, answer.text
        signup_id = answer.json()["signup_id"]
        session = (await self.signup(signup_id)).checkout_session_id
        assert session is not None
        return signup_id, session

    async def work(self) -> None:
        """Run every job that is due, with the real worker, until none is left."""
        app = jobs_app(self)
        reconciled: list[str] = []

        async def reconcile(tenant_id: str) -> None:
            reconciled.append(tenant_id)

        app.task(name="provisioner.reconcile")(reconcile)
        async with app.open_async():
            while await self._due():  # a worker that does not wait may leave before the last job defers another
                await asyncio.wait_for(
                    app.run_worker_async(
                        queues=["clawstack"],
                        wait=False,
                        install_signal_handlers=False,
                        listen_notify=False,
                        concurrency=4,
                    ),
                    60,
                )

    async def _due(self) -> bool:
        query = text(
            "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now()"
        )
        async with self.platform.database.transaction() as session:
            return (await session.execute(query)).first() is not None

    async def jobs(self, task: str, *, status: str | None = None) -> list[Json]:
        query = text(
            "SELECT args, status::text, scheduled_at FROM procrastinate_jobs WHERE task_name = :task"
            " AND (CAST(:status AS text) IS NULL OR status::text = :status) ORDER BY id"
        )
        async with self.platform.database.transaction() as session:
            rows = await session.execute(query, {"task": task, "status": status})
            return [dict(row._mapping) for row in rows]

    async def signup(self, signup_id: str) -> Signup:
        async with self.platform.database.transaction() as session:
            row = await session.get(Signup, signup_id)
        assert row is not None
        return row

    async def tenants(self) -> list[Tenant]:
        async with self.platform.database.transaction() as session:
            return list(await session.scalars(select(Tenant).order_by(Tenant.created_at)))

    async def subscriptions(self) -> list[Subscription]:
        async with self.platform.database.transaction() as session:
            return list(await session.scalars(select(Subscription).order_by(Subscription.stripe_created_at)))

    async def events(self) -> list[StripeEvent]:
        async with self.platform.database.transaction() as session:
            return list(await session.scalars(select(StripeEvent).order_by(StripeEvent.received_at)))

    async def count(self, table: type[Any]) -> int:
        async with self.platform.database.transaction() as session:
            return int((await session.execute(select(func.count()).select_from(table))).scalar_one())

    async def post_event(self, event: Json | bytes, *, secret: str = SECRET, age: int = 0) -> httpx.Response:
        """A webhook call as Stripe would sign it."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        stamp = int(time.time()) - age
        signature = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, stamp)
        return await self.http.post("/webhooks/stripe", content=body, headers={"stripe-signature": signature})


def event(kind: str = "customer.subscription.updated", *, id: str = "evt_test_1", customer: str = "cus_1") -> Json:  # noqa: A002
    """An event as Stripe sends it."""
    return {
        "id": id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": customer}},
    }


@asynccontextmanager
async def opened_world(platform: ProcessPlatform, stand_in: StandIn, **settings: Any) -> AsyncIterator[World]:
    """A server on a free port, its webhook registered at the stand-in, prices set up by our own command."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    changes = {
        "port": port,
        "stripe_api_base": stand_in.base,
        "stripe_api_key": KEY,
        "stripe_webhook_secret": SECRET,
        "telegram_bot_username": "ClawstackTestBot",
        "stripe_sweep_interval": timedelta(hours=23),
        **settings,
    }
    fresh = type(platform.settings)(_env_file=None, **(platform.settings.model_dump() | changes))
    platform = dataclasses.replace(platform, settings=fresh)
    parts = (create_billing_part(platform), create_onboarding_part(platform))
    app = create_app(platform, parts)
    server = uvicorn.Server(server_config(app, fresh))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{port}"
    async with (
        httpx.AsyncClient(base_url=url, timeout=patient(30)) as http,
        httpx.AsyncClient(timeout=patient(30)) as outside,
    ):
        world = World(platform=platform, app=app, stand_in=stand_in, url=url, parts=parts, http=http, outside=outside)
        try:
            while not server.started:
                assert not task.done(), "the server ended while starting"
                await asyncio.sleep(0.01)
            await _set_up_stripe(world)
            yield world
            await _forget_webhook(world)
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, patient(20))
            await platform.stripe.close()


async def _set_up_stripe(world: World) -> None:
    await world.control("fail/clear")
    await world.control("hostile", duplicate=1)
    access = StripeAccess(world.platform.settings)
    await catalogue.ensure_prices(access, world.platform.catalogue)
    await access.close()
    await world.control("flush", timeout=20)
    world.webhook = (await world.control("webhook", url=f"{world.url}/webhooks/stripe", secret=SECRET))["id"]


async def _forget_webhook(world: World) -> None:
    await world.control("hostile", duplicate=1)
    await asyncio.to_thread(stripe_client(world).v1.webhook_endpoints.delete, world.webhook)


def jobs_app(world: World) -> procrastinate.App:
    """The worker's app, for tests that look at it."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=world.platform.database.url),
        periodic_defaults={"max_delay": 0},  # no sweep at start that would hide what a test is about
    )
    for part in world.parts:
        if part.register_tasks is not None:
            part.register_tasks(app)
    return app


def stripe_client(world: World) -> stripe.StripeClient:
    """The official client, as an operator at the dashboard would act."""
    return stripe.StripeClient(KEY, base_addresses={"api": world.stand_in.base})


async def cancel(world: World, subscription_id: str) -> None:
    """End a subscription at once."""
    await asyncio.to_thread(stripe_client(world).v1.subscriptions.cancel, subscription_id)
    await world.control("flush", timeout=20)


async def change_price(world: World, subscription_id: str, price: str) -> None:
    """Move a subscription to another price."""

    def change() -> None:
        client = stripe_client(world)
        item = client.v1.subscriptions.retrieve(subscription_id)["items"].data[0]
        client.v1.subscriptions.update(subscription_id, {"items": [{"id": item.id, "price": price}]})

    await asyncio.to_thread(change)
    await world.control("flush", timeout=20)


async def customer_of(world: World, subscription_id: str) -> str:
    """Stripe's customer of a subscription."""
    found = await asyncio.to_thread(stripe_client(world).v1.subscriptions.retrieve, subscription_id)
    return str(found.customer)


async def price_id(world: World, lookup_key: str) -> str:
    """The active price under a key."""
    found = await asyncio.to_thread(stripe_client(world).v1.prices.list, {"lookup_keys": [lookup_key]})
    return found.data[0].id


async def sweep(world: World) -> None:
    """One sweep, and the work that it finds."""
    async with jobs_app(world).open_async() as app:
        await app.tasks["billing.sweep"].defer_async(timestamp=0)
    await world.work()
