"""Load: requests as fast as they are answered, over kept connections, from a process of its own.

`python -m bench._load PORT PATH SECONDS CLIENTS plain|stream`, tokens in BENCH_TOKENS (each client has one); prints one JSON document.
Bare sockets instead of a client library, so that the generator is not what is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Final

import uvloop

_END_OF_HEAD: Final = b"\r\n\r\n"
_END_OF_CHUNKS: Final = b"\r\n0\r\n\r\n"


@dataclass(kw_only=True)
class Tally:
    """What was observed."""

    seconds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Seconds to the first byte of the body."""
    errors: int = 0


def _request(port: int, path: str, token: str, *, stream: bool) -> bytes:
    messages = [{"role": "system", "content": "You help. " * 50}, {"role": "user", "content": "Hello?"}]
    body = json.dumps({"model": "gpt-5-mini", "messages": messages, "max_tokens": 64, "stream": stream}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _client(port: int, request: bytes, until: float, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    while time.perf_counter() < until:
        start = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(_END_OF_HEAD)).lower()
        if not head.startswith(b"http/1.1 200"):
            tally.errors += 1
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if length:
            await reader.readexactly(int(length))
            tally.first.append(time.perf_counter() - start)
        else:
            await _chunks(reader, start, tally)
        tally.seconds.append(time.perf_counter() - start)
    writer.close()


async def _chunks(reader: asyncio.StreamReader, start: float, tally: Tally) -> None:
    body = await reader.read(1 << 16)
    tally.first.append(time.perf_counter() - start)
    while not body.endswith(_END_OF_CHUNKS):
        more = await reader.read(1 << 16)
        if not more:
            tally.errors += 1
            return
        body = body[-len(_END_OF_CHUNKS) :] + more


async def _run(port: int, path: str, seconds: float, clients: int, *, stream: bool) -> None:
    tokens, tally = os.environ["BENCH_TOKENS"].split(), Tally()
    requests = [_request(port, path, tokens[number % len(tokens)], stream=stream) for number in range(clients)]
    begin = time.perf_counter()
    await asyncio.gather(*(_client(port, request, begin + seconds, tally) for request in requests))
    elapsed = time.perf_counter() - begin
    result = {
        "requests": len(tally.seconds),
        "errors": tally.errors,
        "per_second": len(tally.seconds) / elapsed,
        "p50_ms": _percentile(tally.seconds, 0.50),
        "p99_ms": _percentile(tally.seconds, 0.99),
        "first_p50_ms": _percentile(tally.first, 0.50),
        "first_p99_ms": _percentile(tally.first, 0.99),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else float("nan")


if __name__ == "__main__":
    _, port, path, seconds, clients, kind = sys.argv
    uvloop.run(_run(int(port), path, float(seconds), int(clients), stream=kind == "stream"))
