"""Sockets that dawdle against a real server: they are ended in time, and keep nobody out meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from clawstack.settings import Settings
from services.kit.http.bodies import read_body
from services.kit.http.connections import ConnectionLimits, bounded_protocol
from services.run.serving import server_config
from tests.attackers import Victim, half_a_header, request
from tests.waiting import patient

LIMITS = ConnectionLimits(total=20, per_address=20, header_seconds=0.3)
PATIENT = dataclasses.replace(LIMITS, header_seconds=60.0)
CLOSE = {"Connection": "close"}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was told of its caller; `/reads` waits for the body, `/works` for ever."""
    if scope["path"] == "/reads":
        await read_body(scope, receive, limit=1000, seconds=60)
    if scope["path"] == "/works":
        await receive()
        await receive()  # the disconnect
        return
    said = f"{scope['client'][0]} {scope['scheme']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


@asynccontextmanager
async def served(limits: ConnectionLimits | None = None, **settings: Any) -> AsyncIterator[Victim]:
    """The app behind our own configuration of uvicorn; with other limits than a process has."""
    config = server_config(app, Settings(**settings))
    config.lifespan, config.timeout_keep_alive = "off", 1
    if limits is not None:
        config.http = bounded_protocol(limits)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield Victim(port=listener.getsockname()[1])
        server.should_exit = server.force_exit = True
        await task


async def ended(readers: list[asyncio.StreamReader]) -> list[bytes]:
    """What came on each until the server ended it."""

    async def rest(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""

    async with asyncio.timeout(patient(10)):
        return await asyncio.gather(*map(rest, readers))


@pytest.mark.parametrize("sending", [b"", half_a_header(), b"\r\n", request("GET", "/") + b"\r\n"])
async def test_who_does_not_say_what_it_wants_is_ended(sending: bytes) -> None:
    async with served(LIMITS) as victim, victim.crowd(10, sending=sending) as readers:
        answers = await ended(readers)
        assert len({answer[:15] for answer in answers}) == 1
        assert answers[0].startswith(b"HTTP/1.1 200" if b"Host" in sending and sending.endswith(b"\r\n") else b"")


async def test_an_answered_body_that_never_comes_holds_nothing() -> None:
    async with served(LIMITS) as victim, victim.crowd(5, sending=request("POST", "/", length=100)) as readers:
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in await ended(readers))


@pytest.mark.parametrize("sending", [b"", half_a_header(), request("GET", "/"), request("POST", "/reads", length=9)])
async def test_a_crowd_that_waits_keeps_nobody_out(sending: bytes) -> None:
    async with served(PATIENT) as victim, victim.crowd(60, sending=sending):
        async with asyncio.timeout(patient(10)):
            assert (await victim.says(request("GET", "/", headers=CLOSE))).startswith(b"HTTP/1.1 200")


async def test_when_all_places_work_the_next_is_told() -> None:
    async with served(PATIENT) as victim, victim.crowd(20, sending=request("GET", "/works")):
        async with asyncio.timeout(patient(10)):
            answer = await victim.says(request("GET", "/", headers=CLOSE))
            while answer.startswith(b"HTTP/1.1 200"):  # not all of the crowd has been read yet
                answer = await victim.says(request("GET", "/", headers=CLOSE))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"too_many_connections" in answer


async def test_a_header_without_end_is_cut() -> None:
    async with served(PATIENT) as victim:
        async with asyncio.timeout(patient(10)):
            answer = await victim.says(half_a_header() + b"x" * 100_000)
        assert answer.startswith(b"HTTP/1.1 431") or not answer  # reset while we were still sending


async def test_a_kept_connection_serves_one_request_after_the_other() -> None:
    async with served(LIMITS) as victim:
        reader, writer = await victim.connect()
        for _ in range(4):
            writer.write(request("POST", "/reads", body=b"x" * 100) + request("GET", "/"))  # one behind the other
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            await asyncio.sleep(0.1)
        writer.close()


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [
        ("", b"127.0.0.1 http"),
        ("10.0.0.0/8", b"127.0.0.1 http"),
        ("127.0.0.1", b"10.1.1.1 https"),
        (
            "127.0.0.1, 10.0.0.0/8",
            b"198.51.100.7 https",
        ),  # the right-most that is no proxy; what is left of it is made up
    ],
)
async def test_only_named_proxies_are_believed(proxies: str, seen: bytes) -> None:
    told = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.1.1.1", "X-Forwarded-Proto": "https"}
    async with served(trusted_proxies=proxies) as victim:
        answer = await victim.says(request("GET", "/", headers=CLOSE | told))
    assert answer.partition(b"\r\n\r\n")[2] == seen
