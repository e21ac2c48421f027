"""The world around a real gateway: the Telegram and model stand-ins, and a person who chats."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import patient

BOT = "parent_bot"
CHANNEL_TOKEN = "424242:planted-channel-token-0002abcdefgh"
PROXY_TOKEN = "csp_planted-proxy-token-0001"
CHAT = 777


@dataclass
class Outside:
    """The running stand-ins."""

    process: subprocess.Popen[bytes]
    port: int

    @classmethod
    def start(cls, folder: Path) -> Outside:
        ready = folder / "sandbox.ready.json"
        with (folder / "sandbox.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "--port", "0", "--only", "telegram,llm", "--ready-file", str(ready),
                 "--telegram-bot", f"{BOT}={CHANNEL_TOKEN}", "--llm-key", PROXY_TOKEN],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + patient(60)
        while not ready.exists():
            assert process.poll() is None, (folder / "sandbox.log").read_text()
            assert time.monotonic() < deadline, "the stand-ins did not come up"
            time.sleep(0.05)
        return cls(process=process, port=json.loads(ready.read_text())["port"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(patient(30))

    @property
    def endpoints(self) -> dict[str, str]:
        root = f"http://127.0.0.1:{self.port}"
        return {"llm_base_url": f"{root}/llm/v1", "telegram_api_root": f"{root}/telegram"}

    def ask(self, text: str, *, seconds: float = 90.0) -> str:
        """Say it as the customer; the assistant's next message."""
        sent = self._call("POST", "/telegram/_control/send", {"bot": BOT, "chat_id": CHAT, "text": text})
        after, deadline = sent["after"], time.monotonic() + seconds
        while time.monotonic() < deadline:
            path = f"/telegram/_control/chats/{CHAT}/messages?bot={BOT}&after={after}&wait=10"
            answer = self._call("GET", path)
            if answer["messages"]:
                return json.dumps(answer["messages"], ensure_ascii=False)
            after = answer["last"]
        raise AssertionError(f"no answer to {text!r} within {seconds} s")

    def last_model(self) -> str:
        """Model of the newest request that reached the vendor."""
        return str(self._call("GET", "/llm/_control/requests")["requests"][-1]["model"])

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=patient(30)) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer
