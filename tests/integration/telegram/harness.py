"""The outside of the router for its tests: people who write on Telegram, cells that poll, and the router in a process."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from pydantic import SecretStr
from sqlalchemy import select, text

from clawstack.settings import Settings
from clawstack.tokens import Token, TokenKind, issue
from services.kit.context import Platform
from services.kit.database.connection import Database
from services.run.factory import create_app
from services.run.parts.telegram import create_part
from services.tables.billing import Customer
from services.tables.telegram import TelegramUpdate
from services.tables.tenants import Tenant
from services.traffic.telegram.links import create_link
from services.traffic.telegram.model.schemas import Timings
from services.traffic.telegram.tokens import register_channel_token
from tests.waiting import eventually, patient, within

REPOSITORY = Path(__file__).parents[3]
SECRET = "planted-webhook-secret"
PATIENCE = 15.0
BRISK = Timings(
    first_retry=timedelta(milliseconds=50),
    conflict_pause=timedelta(milliseconds=100),
    stand_by=timedelta(milliseconds=100),
)


@dataclass(kw_only=True)
class People:
    """Those who talk with one bot of the stand-in."""

    root: str
    bot: str
    token: str
    http: aiohttp.ClientSession

    async def do(self, chat_id: int, **what: Any) -> dict[str, Any]:
        """Somebody does something in a chat."""
        wish = {"bot": self.bot, "chat_id": chat_id, **what}
        async with self.http.post(f"{self.root}/_control/send", json=wish) as response:
            answer = dict(await response.json())
            assert response.ok, answer
            return answer

    async def write(self, chat_id: int, words: str, **more: Any) -> dict[str, Any]:
        """Somebody writes."""
        return await self.do(chat_id, text=words, **more)

    async def heard(self, chat_id: int, *, after: int = 0, wait: float = PATIENCE) -> list[dict[str, Any]]:
        """What the bot said in a chat since a point; waits for something."""
        query = {"bot": self.bot, "after": str(after), "wait": str(wait)}
        async with self.http.get(f"{self.root}/_control/chats/{chat_id}/messages", params=query) as response:
            return [event["message"] for event in (await response.json())["messages"]]

    async def fault(self, **order: Any) -> None:
        """Order trouble for this bot."""
        async with self.http.post(f"{self.root}/_control/faults", json={"bot": self.bot, **order}) as response:
            assert response.ok, await response.text()

    async def api(self, method: str, **fields: Any) -> dict[str, Any]:
        """The real API with the real token, behind the router's back."""
        async with self.http.post(f"{self.root}/bot{self.token}/{method}", json=fields) as response:
            return dict(await response.json())


@dataclass(kw_only=True)
class Cell:
    """A cell that uses the virtual Bot API as any bot library would."""

    root: str
    token: Token
    tenant_id: uuid.UUID
    http: aiohttp.ClientSession
    offset: int | None = None
    got: list[dict[str, Any]] = field(default_factory=list)

    def url(self, method: str) -> str:
        return f"{self.root}/telegram/bot{self.token.reveal()}/{method}"

    async def call(self, method: str, /, **fields: Any) -> dict[str, Any]:
        """A call with a JSON body, as grammY makes them."""
        async with self.http.post(self.url(method), json=fields) as response:
            answer = dict(await response.json())
            assert answer["ok"] is (response.status == 200), answer
            assert answer["ok"] or answer["error_code"] == response.status, answer
            return answer

    async def poll(self, *, timeout: int = 0, **more: Any) -> list[dict[str, Any]]:
        """One getUpdates; the next one confirms what this one got."""
        wish = {"timeout": timeout, **more} | ({} if self.offset is None else {"offset": self.offset})
        answer = await self.call("getUpdates", **wish)
        assert answer["ok"], answer
        for update in answer["result"]:
            self.got.append(update)
            self.offset = update["update_id"] + 1
        return list(answer["result"])

    async def poll_until(self, count: int) -> list[dict[str, Any]]:
        """Poll until so many updates came in all; then confirm them."""
        async with within(60, f"{count} updates", seen=self.texts):
            while len(self.got) < count:
                await self.poll(timeout=5)
        await self.poll()
        return self.got

    def texts(self) -> list[str]:
        """The words of all messages that came."""
        return [update["message"]["text"] for update in self.got if "message" in update]


@dataclass(kw_only=True)
class World:
    """A platform with a router, its people and its tenants."""

    platform: Platform
    people: People
    http: aiohttp.ClientSession
    root: str = ""
    next_chat: int = 1000

    @property
    def database(self) -> Database:
        return self.platform.database

    async def customer(self) -> uuid.UUID:
        async with self.database.transaction() as session:
            row = Customer(id=uuid.uuid4(), email="ana@example.org")
            session.add(row)
            return row.id

    async def tenant(self, *, customer_id: uuid.UUID | None = None, state: str = "healthy", **more: Any) -> Cell:
        """A tenant with a channel token."""
        token = issue(TokenKind.CHANNEL)
        tenant_id = uuid.uuid4()
        customer_id = customer_id or await self.customer()
        async with self.database.transaction() as session:
            values = {"plan": "starter", "bundle": "parenting", "bundle_version": "1", "substrate": "process"}
            values |= {"answers": {}, "desired_state": "running", "state": state} | more
            session.add(Tenant(id=tenant_id, slug=f"t-{tenant_id.hex[:12]}", customer_id=customer_id, **values))
            await session.flush()
            await register_channel_token(session, tenant_id, token)
        return Cell(root=self.root, token=token, tenant_id=tenant_id, http=self.http)

    async def link(self, cell: Cell) -> str:
        """A code that binds a chat to the tenant."""
        async with self.database.transaction() as session:
            return (await create_link(session, cell.tenant_id, settings=self.platform.settings)).code

    async def bound_chat(self, cell: Cell, *, group: bool = False) -> int:
        """A new chat that belongs to the tenant."""
        chat_id = self.new_chat()
        words = "/start"
        if group:
            chat_id, words = -chat_id, f"/start@{self.people.bot}"
        await self.people.write(chat_id, f"{words} {await self.link(cell)}")
        assert "assistant" in (await self.people.heard(chat_id))[0]["text"]
        return chat_id

    def new_chat(self) -> int:
        self.next_chat += 1
        return self.next_chat

    async def set_tenant(self, tenant_id: uuid.UUID, **values: Any) -> None:
        async with self.database.transaction() as session:
            tenant = await session.get_one(Tenant, tenant_id)
            for name, value in values.items():
                setattr(tenant, name, value)

    async def updates(self) -> list[TelegramUpdate]:
        async with self.database.transaction() as session:
            return list((await session.scalars(select(TelegramUpdate).order_by(TelegramUpdate.id))).all())

    async def outcomes(self) -> list[str | None]:
        return [row.outcome for row in await self.updates()]

    async def post_update(self, update: object, *, secret: str | None = SECRET, raw: bytes | None = None) -> int:
        """An update pushed as Telegram does; the HTTP status."""
        body = json.dumps(update).encode() if raw is None else raw
        headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
        url = f"{self.root}/webhooks/telegram/{self.people.bot}"
        async with self.http.post(url, data=io.BytesIO(body), headers=headers) as response:
            await response.read()
            return response.status

    async def scalar(self, query: str) -> Any:
        async with self.database.transaction() as session:
            return (await session.execute(text(query))).scalar_one()


def settings_for(people: People, **more: Any) -> Settings:
    values: dict[str, Any] = {
        "telegram_bot_token": SecretStr(people.token),
        "telegram_api_root": people.root,
        "telegram_link_base": f"{people.root}/_chat",
        "telegram_webhook_secret": SecretStr(SECRET),
    }
    return Settings(_env_file=None, **(values | more))


@asynccontextmanager
async def serving(platform: Platform, *, timings: Timings = BRISK, port: int = 0) -> AsyncIterator[str]:
    """The router behind a real HTTP server in this process; its root URL."""
    part = create_part(platform, timings=timings)
    config = uvicorn.Config(
        create_app(platform, [part]), host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve())
    try:
        await until(lambda: _async(server.started or task.done()))
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def until(condition: Callable[[], Awaitable[Any]], *, patience: float = PATIENCE) -> Any:
    """Waits until a condition holds; returns what it returned."""
    return await eventually(condition, f"{condition}", seconds=patience)


async def _async(value: Any) -> Any:
    return value


class RouterProcess:
    """The router in a process of its own, to be killed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = os.environ | environment
        self.root = ""

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests.integration.telegram.router_process"]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line.startswith("http://"), line
        self.root = line.strip()

    def kill(self) -> None:
        """SIGKILL: no handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(patient(10))
        if self.process.stdout is not None:
            self.process.stdout.close()
