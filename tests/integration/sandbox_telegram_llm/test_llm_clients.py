"""The vendors' own client libraries, over a real socket, find what they expect."""

import asyncio
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

from tests.integration.sandbox_telegram_llm.process import Sandbox
from tests.waiting import patient

SYSTEM = "# Identity\n- Name: Clawdia\n- Role: parenting assistant\n\n# Family\n- Child: Emma\n- Age: 24 months"
ANSWER = 'Hi! I\'m Clawdia, your parenting assistant. I know Emma is 24 months old. You said: "hi"'
CHAT: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "hi"}]
HI: Any = [{"role": "user", "content": "hi"}]


def openai_client(sandbox: Sandbox, key: str = "") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{sandbox.llm}/v1", api_key=key or sandbox.key, max_retries=0, timeout=patient(20)
    )


def anthropic_client(sandbox: Sandbox, key: str = "") -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        base_url=sandbox.llm, api_key=key or sandbox.key, max_retries=0, timeout=patient(20)
    )


async def test_openai_whole(sandbox: Sandbox) -> None:
    async with openai_client(sandbox) as client:
        answer = await client.chat.completions.create(model="gpt-5-mini", messages=CHAT)
        models = [model.id async for model in client.models.list()]
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert "gpt-5-mini" in models


async def test_openai_stream(sandbox: Sandbox) -> None:
    async with openai_client(sandbox) as client:
        options: Any = {"include_usage": True}
        stream = await client.chat.completions.create(model="gpt-5", messages=CHAT, stream=True, stream_options=options)
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ANSWER
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == -(-len(ANSWER) // 4)


async def test_openai_tool_calls_streamed_and_whole(sandbox: Sandbox) -> None:
    call = {"tool_calls": [{"name": "note", "arguments": {"milestone": "first word"}}]}
    await sandbox.post(f"{sandbox.llm}/_control/script", {"answers": [call, call]})
    async with openai_client(sandbox) as client:
        whole = await client.chat.completions.create(model="gpt-5", messages=CHAT)
        async with client.chat.completions.stream(model="gpt-5", messages=CHAT) as stream:
            streamed = await stream.get_final_completion()
    for completion in (whole, streamed):
        (tool_call,) = completion.choices[0].message.tool_calls or []
        assert tool_call.type == "function"
        assert (tool_call.function.name, tool_call.function.arguments) == ("note", '{"milestone": "first word"}')


async def test_openai_responses(sandbox: Sandbox) -> None:
    async with openai_client(sandbox) as client:
        whole = await client.responses.create(model="gpt-5", instructions=SYSTEM, input="hi")
        async with client.responses.stream(model="gpt-5", instructions=SYSTEM, input="hi") as stream:
            streamed = await stream.get_final_response()
    assert whole.output_text == streamed.output_text == ANSWER
    assert whole.usage is not None
    assert whole.usage == streamed.usage
    assert whole.usage.output_tokens == -(-len(ANSWER) // 4)


async def test_anthropic_whole_and_stream(sandbox: Sandbox) -> None:
    async with anthropic_client(sandbox) as client:
        ask: Any = {"model": "claude-sonnet-5", "max_tokens": 500, "system": SYSTEM, "messages": HI}
        whole = await client.messages.create(**ask)
        async with client.messages.stream(**ask) as stream:
            streamed = await stream.get_final_message()
    for message in (whole, streamed):
        block: Any = message.content[0]
        assert (block.type, block.text) == ("text", ANSWER)
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens == -(-len(ANSWER) // 4)
        assert message.usage.input_tokens == -(-(len(SYSTEM) + 2) // 4)


async def test_anthropic_tool_use_and_cache_counts(sandbox: Sandbox) -> None:
    call = {"tool_calls": [{"name": "note", "arguments": {"milestone": "first step"}}]}
    await sandbox.post(f"{sandbox.llm}/_control/script", {"answers": [call]})
    system: Any = [{"type": "text", "text": "s" * 8000, "cache_control": {"type": "ephemeral"}}]
    ask: Any = {"model": "claude-sonnet-5", "max_tokens": 500, "system": system, "messages": HI}
    async with anthropic_client(sandbox) as client:
        async with client.messages.stream(**ask) as stream:
            first = await stream.get_final_message()
        second = await client.messages.create(**ask)
    assert first.stop_reason == "tool_use"
    assert first.content[0].type == "tool_use"
    assert first.content[0].input == {"milestone": "first step"}
    assert (first.usage.cache_creation_input_tokens, first.usage.cache_read_input_tokens) == (1920, 0)
    assert (second.usage.cache_creation_input_tokens, second.usage.cache_read_input_tokens) == (0, 1920)
    assert first.usage.input_tokens == second.usage.input_tokens == 2001 - 1920


async def test_wrong_keys_and_models_become_the_clients_own_errors(sandbox: Sandbox) -> None:
    async with openai_client(sandbox, "placeholder") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(model="gpt-5", messages=CHAT)
    async with anthropic_client(sandbox, "placeholder") as other:
        with pytest.raises(anthropic.AuthenticationError):
            await other.messages.create(model="claude-sonnet-5", max_tokens=1, messages=HI)
    async with openai_client(sandbox) as client:
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="gpt-99", messages=CHAT)


async def test_status_faults_become_the_clients_own_errors(sandbox: Sandbox) -> None:
    async with openai_client(sandbox) as client:
        await sandbox.fault("llm", kind="status", status=429, retry_after=2)
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="gpt-5", messages=CHAT)
        assert limited.value.response.headers["retry-after"] == "2"
        await sandbox.fault("llm", kind="status", status=503)
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="gpt-5", messages=CHAT)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", ["break_first", "break_mid"])
async def test_broken_connections(sandbox: Sandbox, kind: str, stream: bool) -> None:
    await sandbox.fault("llm", kind=kind)
    received: list[str] = []

    async def ask() -> None:
        async with openai_client(sandbox) as client:
            if not stream:
                await client.chat.completions.create(model="gpt-5", messages=CHAT)
                return
            async for chunk in await client.chat.completions.create(model="gpt-5", messages=CHAT, stream=True):
                received.append(chunk.choices[0].delta.content or "")  # noqa: PERF401  what came before the break counts

    with pytest.raises((openai.APIConnectionError, httpx.TransportError, httpx2.TransportError)):
        await ask()
    assert ANSWER.startswith("".join(received))
    assert bool(received) == (stream and kind == "break_mid")
    record = await sandbox.get(f"{sandbox.llm}/_control/requests")
    assert [(r["outcome"], r["fault"]) for r in record["requests"]] == [("fault", kind)]


@pytest.mark.parametrize("kind", ["stall_first", "stall_mid"])
async def test_a_client_that_hangs_up_is_noticed_at_once(sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault("llm", kind=kind, seconds=600)
    client = openai_client(sandbox)
    first = asyncio.Event()

    async def listen() -> None:
        async for _ in await client.chat.completions.create(model="gpt-5", messages=CHAT, stream=True):
            first.set()

    listening = asyncio.create_task(listen())
    await sandbox.get(f"{sandbox.llm}/_control/requests", wait=10)
    if kind == "stall_mid":
        await asyncio.wait_for(first.wait(), patient(10))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await client.close()
    record = await sandbox.get(f"{sandbox.llm}/_control/requests", done=1, wait=10)
    assert [r["outcome"] for r in record["requests"]] == ["disconnected"]


async def test_speed(sandbox: Sandbox) -> None:
    await sandbox.post(f"{sandbox.llm}/_control/latency", {"first_token_ms": 200, "chunk_ms": 10})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with openai_client(sandbox) as client:
        stream = await client.chat.completions.create(model="gpt-5", messages=CHAT, stream=True)
        times = [loop.time() - begun async for _ in stream]
    assert times[0] >= 0.2
    assert times[-1] - times[0] >= 0.01 * (len(times) - 2)


async def test_real_keys_and_bodies_are_on_record(sandbox: Sandbox) -> None:
    async with openai_client(sandbox) as client:
        await client.chat.completions.create(model="gpt-5", messages=CHAT, extra_headers={"x-tenant": "t1"})
    (received,) = (await sandbox.get(f"{sandbox.llm}/_control/requests"))["requests"]
    assert received["headers"]["authorization"] == f"Bearer {sandbox.key}"
    assert received["headers"]["x-tenant"] == "t1"
    assert received["body"]["messages"] == CHAT
    assert (received["path"], received["model"], received["outcome"]) == ("/v1/chat/completions", "gpt-5", "answered")
