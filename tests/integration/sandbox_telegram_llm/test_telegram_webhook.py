"""Pushes to a webhook: secret, order, retries, errors told, answers run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.integration.sandbox_telegram_llm.process import Sandbox
from tests.waiting import patient, within

SECRET = "secret_Token-1"


@dataclass
class Receiver:
    """What a product has at its webhook: answers with the next status of `answers`, 200 after that."""

    url: str = ""
    got: "asyncio.Queue[tuple[str, dict[str, Any]]]" = field(default_factory=asyncio.Queue)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    hold: Callable[[dict[str, Any]], Awaitable[None]] | None = None

    async def receive(self, request: web.Request) -> web.Response:
        update = await request.json()
        await self.got.put((request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""), update))
        if self.hold is not None:
            await self.hold(update)
        status, body = self.answers.pop(0) if self.answers else (200, {})
        return web.json_response(body, status=status)

    async def next_text(self) -> str:
        _, update = await asyncio.wait_for(self.got.get(), patient(20))
        return str(update["message"]["text"])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    it = Receiver()
    application = web.Application()
    application.router.add_post("/hook", it.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield it
    await runner.cleanup()


async def call(sandbox: Sandbox, method: str, **params: Any) -> Any:
    return (await sandbox.post(f"{sandbox.telegram}/bot{sandbox.token}/{method}", params))["result"]


async def info_with(sandbox: Sandbox, name: str, value: Any) -> dict[str, Any]:
    info: dict[str, Any] = {}
    async with within(20, f"{name} is {value}", seen=lambda: info):
        while info.get(name) != value:
            await asyncio.sleep(0.02)
            info = await call(sandbox, "getWebhookInfo")
    return info


async def test_updates_arrive_with_the_secret_and_are_then_gone(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.act(text="before")  # what waited is pushed, too
    await call(sandbox, "setWebhook", url=receiver.url, secret_token=SECRET)
    secret, update = await asyncio.wait_for(receiver.got.get(), patient(20))
    assert (secret, update["message"]["text"]) == (SECRET, "before")
    await sandbox.act(text="after")
    assert await receiver.next_text() == "after"
    info = await info_with(sandbox, "pending_update_count", 0)
    assert info["url"] == receiver.url
    assert "last_error_message" not in info


async def test_refused_updates_come_again_and_the_reason_is_told(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (503, {})]
    await call(sandbox, "setWebhook", url=receiver.url)
    await sandbox.act(text="important")
    assert [await receiver.next_text() for _ in range(3)] == ["important"] * 3
    info = await info_with(sandbox, "pending_update_count", 0)
    assert info["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"
    assert info["last_error_date"] > 0


async def test_a_dead_receiver_keeps_updates_waiting_and_a_new_address_gets_them(
    sandbox: Sandbox, receiver: Receiver, unused_tcp_port: int
) -> None:
    await call(sandbox, "setWebhook", url=f"http://127.0.0.1:{unused_tcp_port}/hook")
    await sandbox.act(text="waiting")
    info = await info_with(sandbox, "last_error_message", "Connection refused")
    assert info["pending_update_count"] == 1
    await call(sandbox, "setWebhook", url=receiver.url)
    assert await receiver.next_text() == "waiting"


async def test_one_slow_chat_does_not_hold_up_another_and_keeps_its_own_order(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    release = asyncio.Event()

    async def hold(update: dict[str, Any]) -> None:
        if update["message"]["text"] == "slow 1":
            await release.wait()

    receiver.hold = hold
    await call(sandbox, "setWebhook", url=receiver.url)
    await sandbox.act(1, text="slow 1")
    assert await receiver.next_text() == "slow 1"
    await sandbox.act(1, text="slow 2")
    await sandbox.act(2, text="quick")
    assert await receiver.next_text() == "quick"
    release.set()
    assert await receiver.next_text() == "slow 2"


async def test_a_method_in_the_answer_is_run(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [(200, {"method": "sendMessage", "chat_id": 42, "text": "from the answer"})]
    await call(sandbox, "setWebhook", url=receiver.url)
    await sandbox.act(text="hi")
    heard = await sandbox.heard()
    assert heard["messages"][0]["message"]["text"] == "from the answer"
