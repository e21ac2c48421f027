"""`python -m sandbox` as a process of its own, and small helpers to play its users."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from sandbox.llm.config import DEFAULT_KEY
from sandbox.telegram.model.config import DEFAULT_TOKEN
from tests.waiting import patient


@dataclass
class Sandbox:
    process: asyncio.subprocess.Process
    ready: dict[str, Any]
    http: aiohttp.ClientSession
    token: str = DEFAULT_TOKEN
    key: str = DEFAULT_KEY

    @property
    def telegram(self) -> str:
        return str(self.ready["telegram_api_root"])

    @property
    def llm(self) -> str:
        return str(self.ready["root"]) + "/llm"

    async def post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.http.post(url, json=body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def get(self, url: str, **query: Any) -> dict[str, Any]:
        async with self.http.get(url, params=query) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            return answer

    async def act(self, chat_id: int = 42, **action: Any) -> dict[str, Any]:
        return await self.post(f"{self.telegram}/_control/send", {"chat_id": chat_id, **action})

    async def heard(self, chat_id: int = 42, *, after: int = 0, wait: float = 20) -> dict[str, Any]:
        return await self.get(f"{self.telegram}/_control/chats/{chat_id}/messages", after=after, wait=wait)

    async def fault(self, part: str, **order: Any) -> None:
        await self.post(f"{self.ready['root']}/{part}/_control/faults", order)

    async def stop(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; return exit status, stdout after the ready line, and stderr."""
        self.process.send_signal(number)
        out, err = await asyncio.wait_for(self.process.communicate(), patient(15))
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode()


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Sandbox]:
    command = [sys.executable, "-m", "sandbox", "--only", "telegram,llm", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), patient(30))
        async with aiohttp.ClientSession() as http:
            yield Sandbox(process, json.loads(line), http)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
