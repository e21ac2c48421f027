"""Cells with a webhook: in order, again until accepted, and only to the cell itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from services.tables.tenants import Cell as CellRow
from tests.integration.telegram.harness import Cell, World, serving, until


@dataclass(kw_only=True)
class Hook:
    """A cell's listener; answers with the statuses it is told, then with 200."""

    url: str = ""
    port: int = 0
    got: list[dict[str, Any]] = field(default_factory=list)
    secrets: set[str | None] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            update = await request.json()
            await asyncio.sleep(0)
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                self.secrets.add(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
                self.got.append(update)
            headers = {"Location": f"http://127.0.0.1:{self.port}/elsewhere"} if status == 302 else {}
            return web.Response(status=status, headers=headers)
        finally:
            self.at_once -= 1

    def texts(self) -> list[str]:
        return [update["message"]["text"] for update in self.got]


@asynccontextmanager
async def _hook(port: int = 0) -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/telegram-webhook", hook.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    assert site._server is not None
    hook.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    hook.url = f"http://127.0.0.1:{hook.port}/telegram-webhook"
    try:
        yield hook
    finally:
        await runner.cleanup()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with _hook() as hook:
        yield hook


async def test_updates_are_pushed_in_order_with_the_secret(router: World, hook: Hook) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.people.write(chat, "before the webhook")
    assert (await cell.call("setWebhook", url=hook.url, secret_token="cell-secret"))["result"] is True
    for number in range(30):
        await router.people.write(chat, f"m{number}")
    await until(lambda: _count(hook, 31))
    assert hook.texts() == ["before the webhook", *(f"m{number}" for number in range(30))]
    assert hook.secrets == {"cell-secret"}
    assert hook.most_at_once == 1
    info = (await cell.call("getWebhookInfo"))["result"]
    assert info["url"] == hook.url
    assert await router.scalar("SELECT count(*) FROM tenant_secrets WHERE sealed::text LIKE '%cell-secret%'") == 0
    assert "cell-secret" not in json.dumps(info)


async def test_a_refused_update_is_pushed_again_and_holds_up_the_rest(router: World, hook: Hook) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    hook.statuses = [500, 302, 404, 503]
    await cell.call("setWebhook", url=hook.url)
    for number in range(3):
        await router.people.write(chat, f"m{number}")
    await until(lambda: _count(hook, 3))
    assert hook.texts() == ["m0", "m1", "m2"]
    assert hook.secrets == {None}
    info = (await cell.call("getWebhookInfo"))["result"]
    assert info["last_error_message"].startswith("Wrong response from the webhook: ")


async def test_a_cell_that_is_down_gets_everything_when_it_is_up(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    async with _hook() as hook:
        await cell.call("setWebhook", url=hook.url, secret_token="s")
        await router.people.write(chat, "up")
        await until(lambda: _count(hook, 1))
    await router.people.write(chat, "down")
    await until(lambda: _has_error(cell))
    async with _hook(hook.port) as back:
        await until(lambda: _count(back, 1))
        assert back.texts() == ["down"]


async def test_two_processes_push_each_update_once(router: World, hook: Hook) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    async with serving(replace(router.platform, metrics=CollectorRegistry())):
        await cell.call("setWebhook", url=hook.url)
        for number in range(20):
            await router.people.write(chat, f"m{number}")
        await until(lambda: _count(hook, 20))
        await until(lambda: _nothing_waits(cell))
    assert hook.texts() == [f"m{number}" for number in range(20)]


async def test_webhook_and_polling_exclude_each_other(router: World, hook: Hook) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await cell.call("setWebhook", url=hook.url)
    answer = await cell.call("getUpdates")
    assert (answer["error_code"], "webhook is active" in answer["description"]) == (409, True)
    await cell.call("deleteWebhook")
    await router.people.write(chat, "polled")
    await cell.poll_until(1)
    assert hook.got == []
    await cell.call("setWebhook", url=hook.url)
    await cell.call("setWebhook", url="")
    assert await cell.poll() == []


async def test_waiting_updates_can_be_dropped(router: World, hook: Hook) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.people.write(chat, "dropped")
    await until(lambda: _waits(cell, 1))
    await cell.call("setWebhook", url=hook.url, drop_pending_updates=True)
    await router.people.write(chat, "pushed")
    await until(lambda: _count(hook, 1))
    assert hook.texts() == ["pushed"]


_ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1:8787/telegram-webhook",
    "http://example.org/telegram-webhook",
    "http://[::ffff:10.0.0.1]:8787/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:8080/webhooks/telegram/x",
    "http://127.0.0.1.example.org:8787/",
    "http://127.0.0.1:8787@10.0.0.1:8787/",
    "http://2130706433:8787/",
    "http://0.0.0.0:8787/",
    "file:///etc/passwd",
    "unix:///tmp/x",
    "//127.0.0.1:8787/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:8787/\r\nX: y",
    "http://gateway.cell-other.svc:8787/",
]


async def test_no_webhook_but_the_cells_own(router: World) -> None:
    cell = await router.tenant()
    for url in _ELSEWHERE:
        answer = await cell.call("setWebhook", url=url)
        assert answer["ok"] is False, url
        assert answer["error_code"] == 400
        assert answer["description"].startswith("Bad Request: bad webhook")
    assert (await cell.call("getWebhookInfo"))["result"]["url"] == ""


async def test_no_webhook_on_another_cells_gateway(router: World, hook: Hook) -> None:
    cell, other = await router.tenant(), await router.tenant()
    async with router.database.transaction() as session:
        session.add(CellRow(tenant_id=other.tenant_id, port=hook.port, stack="s"))
    assert (await cell.call("setWebhook", url=hook.url))["error_code"] == 400
    assert (await other.call("setWebhook", url=hook.url))["ok"]


async def test_secrets_follow_the_bot_apis_rule(router: World, hook: Hook) -> None:
    cell = await router.tenant()
    for secret in ("with space", "x" * 257, "ü"):
        assert (await cell.call("setWebhook", url=hook.url, secret_token=secret))["error_code"] == 400


async def _count(hook: Hook, count: int) -> bool:
    return len(hook.got) >= count


async def _has_error(cell: Cell) -> bool:
    return "last_error_message" in (await cell.call("getWebhookInfo"))["result"]


async def _waits(cell: Cell, count: int) -> bool:
    return bool((await cell.call("getWebhookInfo"))["result"]["pending_update_count"] == count)


async def _nothing_waits(cell: Cell) -> bool:
    return await _waits(cell, 0)
