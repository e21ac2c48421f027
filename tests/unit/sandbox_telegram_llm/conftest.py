"""The stand-ins in this process: no socket, a clock that tests turn."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from sandbox.llm.app import create_app as create_llm
from sandbox.llm.config import DEFAULT_KEY, LlmConfig
from sandbox.telegram.app import create_app as create_telegram
from sandbox.telegram.model.config import DEFAULT_TOKEN, TelegramConfig
from tests.waiting import patient

NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC


@dataclass
class Clock:
    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class TelegramSide:
    """The bot's side and the user's side of one stand-in."""

    http: httpx.AsyncClient
    clock: Clock
    token: str = DEFAULT_TOKEN

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        response = await self.http.post(f"/bot{self.token}/{method}", json=params)
        answer: dict[str, Any] = response.json()
        assert response.status_code == (200 if answer["ok"] else answer["error_code"])
        return answer

    async def result(self, method: str, **params: Any) -> Any:
        answer = await self.call(method, **params)
        assert answer["ok"], answer
        return answer["result"]

    async def refusal(self, method: str, **params: Any) -> tuple[int, str]:
        answer = await self.call(method, **params)
        assert not answer["ok"], answer
        return answer["error_code"], answer["description"]

    async def act(self, chat_id: int = 42, **action: Any) -> dict[str, Any]:
        response = await self.http.post("/_control/send", json={"chat_id": chat_id, **action})
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def until_polling(self) -> None:
        """Wait until a getUpdates call waits."""
        async with asyncio.timeout(patient(5)):
            while not (await self.http.get("/_control/bots")).json()["bots"][0]["polling"]:
                await asyncio.sleep(0)

    async def journal(self, chat_id: int = 42, **query: Any) -> list[dict[str, Any]]:
        response = await self.http.get(f"/_control/chats/{chat_id}/messages", params=query)
        lines: list[dict[str, Any]] = response.json()["messages"]
        return lines


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSide]:
    clock = Clock()
    app = create_telegram(TelegramConfig(now=clock))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
        yield TelegramSide(http, clock)


@dataclass
class LlmSide:
    http: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {DEFAULT_KEY}"})

    async def ask(self, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
        defaults = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
        return await self.http.post(path, json=defaults | body, headers=self.headers)

    async def order(self, what: str, body: dict[str, Any]) -> None:
        response = await self.http.post(f"/_control/{what}", json=body)
        assert response.status_code == 200, response.text


@pytest.fixture
async def llm() -> AsyncIterator[LlmSide]:
    transport = httpx.ASGITransport(app=create_llm(LlmConfig(now=Clock())))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
        yield LlmSide(http)
