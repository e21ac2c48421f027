"""The command itself: ready line, ready file, signals, restart."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.integration.sandbox_telegram_llm.process import Sandbox, running
from tests.waiting import eventually, patient


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_end_it_quickly_and_quietly_even_with_open_polls(
    sandbox: Sandbox, number: signal.Signals
) -> None:
    await sandbox.post(f"{sandbox.llm}/_control/faults", {"kind": "stall_first", "seconds": 600})
    poll = asyncio.create_task(sandbox.get(f"{sandbox.telegram}/bot{sandbox.token}/getUpdates", timeout=50))
    watch = asyncio.create_task(sandbox.heard(wait=100))
    stalled = asyncio.create_task(
        sandbox.http.post(
            f"{sandbox.llm}/v1/chat/completions",
            json={"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]},
            headers={"authorization": f"Bearer {sandbox.key}"},
        ).__aenter__()
    )
    while not (await sandbox.get(f"{sandbox.telegram}/_control/bots"))["bots"][0]["polling"]:
        await asyncio.sleep(0.01)
    await sandbox.get(f"{sandbox.llm}/_control/requests", wait=10)
    begun = time.monotonic()
    code, out, err = await sandbox.stop(number)
    assert (code, out, err) == (0, "", "")
    assert time.monotonic() - begun < patient(5)
    assert (await poll)["result"] == []
    assert (await watch)["messages"] == []
    response = await stalled  # headers had come, the body never will
    assert response.status == 200
    response.close()


async def test_ready_file_says_the_same_as_the_ready_line(tmp_path: Path) -> None:
    async with running("--ready-file", str(tmp_path / "ready.json")) as started:
        assert json.loads((tmp_path / "ready.json").read_text()) == started.ready
        async with started.http.get(started.ready["root"]) as index:
            assert started.ready["llm_base_url"] in await index.text()


async def test_state_survives_restart_and_ids_keep_rising(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path)]
    async with running(*data) as first:
        await first.act(text="before", user={"first_name": "Pat"})
        updates = await first.get(f"{first.telegram}/bot{first.token}/getUpdates")
        await first.stop(signal.SIGTERM)
    async with running(*data) as second:
        again = await second.get(f"{second.telegram}/bot{second.token}/getUpdates")
        assert again["result"] == updates["result"]
        sent = await second.post(f"{second.telegram}/bot{second.token}/sendMessage", {"chat_id": 42, "text": "hi"})
        assert sent["result"]["message_id"] == 2
        assert sent["result"]["chat"]["first_name"] == "Pat"
        state = tmp_path / "telegram" / "state.json"
        await eventually(lambda: '"hi"' in state.read_text(), "the message in the file", seconds=10)
        second.process.kill()
    async with running(*data) as third:
        after_crash = await third.act(text="after")
        assert after_crash["message"]["message_id"] > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "paypal"], "--only knows stripe, telegram, llm, hcloud, not paypal"),
        (["--telegram-bot", "NoToken"], "USERNAME=123456789:AA"),
        (["--stripe-webhook-url", "http://127.0.0.1:1"], "belong together"),
    ],
)
async def test_wrong_arguments_name_the_remedy(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "sandbox", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, err = await asyncio.wait_for(process.communicate(), patient(30))
    assert process.returncode == 2
    assert words in err.decode()


async def test_a_taken_port_is_named(sandbox: Sandbox) -> None:
    command = [sys.executable, "-m", "sandbox", "--port", str(sandbox.ready["port"]), "--only", "llm"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, err = await asyncio.wait_for(process.communicate(), patient(30))
    assert process.returncode == 1
    assert "Choose another --port" in err.decode()


async def test_bots_and_keys_from_the_command_line() -> None:
    second = "987654321:AAsecond"
    extra = [
        "--telegram-bot",
        "FirstBot=111222333:AAfirst",
        "--telegram-bot",
        f"SecondBot={second}",
        "--llm-key",
        "sk-x",
    ]
    async with running(*extra) as started:
        me = await started.get(f"{started.telegram}/bot{second}/getMe")
        assert me["result"]["username"] == "SecondBot"
        await started.act(text="for the second", bot="secondbot")
        of_first = await started.get(f"{started.telegram}/bot111222333:AAfirst/getUpdates")
        of_second = await started.get(f"{started.telegram}/bot{second}/getUpdates")
        assert of_first["result"] == []
        assert of_second["result"][0]["message"]["text"] == "for the second"
        url = f"{started.llm}/v1/models"
        async with started.http.get(url, headers={"authorization": "Bearer sk-x"}) as response:
            assert response.status == 200
        async with started.http.get(url, headers={"authorization": f"Bearer {started.key}"}) as response:
            assert response.status == 401
