"""LLM proxy beside the vendor itself: requests per second, latency, CPU per request, time to the first event.

Vendor, proxy, PostgreSQL and load are processes of their own on this machine, so that they share its cores: the direct
row is what load and vendor reach together, and the difference is what the proxy costs, its ledger included.
Options: --seconds per measurement (3), --repetitions (3).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench._machine import facts
from bench._serving import started
from clawstack.tokens import TokenKind, issue
from services.kit.database.connection import Database
from services.kit.database.embedded import EmbeddedPostgres
from services.tables import migrate
from services.tables.tenants import Tenant
from services.traffic.llm_proxy.tokens import register_proxy_token

_RESULT: Final = Path(__file__).parent / "results" / "proxy.md"
_PACKAGES: Final = ("uvicorn", "uvloop", "aiohttp", "sqlalchemy", "psycopg", "fastapi", "starlette")
_SPARE_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is measured."""

    name: str
    port: int
    path: str
    process: psutil.Process


@dataclass(frozen=True, kw_only=True)
class Load:
    """How it is measured."""

    name: str
    clients: int
    kind: str


LOADS: Final = (
    Load(name="1 client", clients=1, kind="plain"),
    Load(name="32 clients", clients=32, kind="plain"),
    Load(name="50 streams", clients=50, kind="stream"),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement."""

    per_second: float
    p50_ms: float
    p99_ms: float
    first_p50_ms: float
    first_p99_ms: float
    errors: int
    cpu_us: float
    """CPU of the target's process for each request, in microseconds."""


def measure(target: Target, load: Load, *, seconds: float, tokens: str) -> Sample:
    """Put load on a target for so long."""
    before = sum(target.process.cpu_times()[:2])
    command = [sys.executable, "-m", "bench._load", str(target.port), target.path, str(seconds), str(load.clients)]
    done = subprocess.run(  # noqa: S603 - our own module, no shell
        [*command, load.kind],
        env={**os.environ, "BENCH_TOKENS": tokens},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + _SPARE_SECONDS,
    )
    result = json.loads(done.stdout)
    used = sum(target.process.cpu_times()[:2]) - before
    requests = result.pop("requests")
    return Sample(**result, cpu_us=used / max(requests, 1) * 1e6)


def report(samples: dict[tuple[str, str], list[Sample]], lines: list[str], *, seconds: float) -> str:
    """The table, in Markdown; with several repetitions every figure is a range."""
    head = "| load | target | requests/s | p50 ms | p99 ms | first byte p50 ms | p99 ms | CPU us/request | errors |"
    rows = [head, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for (load, target), found in samples.items():
        fields = ("per_second", "p50_ms", "p99_ms", "first_p50_ms", "first_p99_ms", "cpu_us")
        figures = [_range([getattr(sample, name) for sample in found]) for name in fields]
        rows.append(f"| {load} | {target} | {' | '.join(figures)} | {sum(sample.errors for sample in found)} |")
    repetitions = max(len(found) for found in samples.values())
    notes = [
        f"measurement: {seconds:g} s each, {repetitions} interleaved repetitions, one worker process, all on this machine",
        "CPU is the target's own (for the direct rows the vendor's), PostgreSQL's not included",
        "each client is a tenant of its own; every proxied request is authenticated, reserved and settled in PostgreSQL (fsync on); request rate limit off",
        "streams: 50 events, 10 ms apart, so that 0.5 s is the least a stream can take",
    ]
    facts_ = "\n".join(f"- {line}" for line in [*lines, *notes])
    return f"# LLM proxy beside its vendor\n\n{facts_}\n\n" + "\n".join(rows) + "\n"


def _range(values: list[float]) -> str:
    low, high = (f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in (min(values), max(values)))  # noqa: PLR2004
    return low if low == high else f"{low} to {high}"


@contextmanager
def postgres() -> Iterator[str]:
    """A migrated database of its own."""
    folder = Path(tempfile.mkdtemp(prefix="claw-bench-", dir="/tmp"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(data_dir=folder, cache_dir=folder)
    try:
        url = server.start()
        migrate.upgrade(url)
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def add_tenants(url: str) -> str:
    """As many tenants of the largest plan as the heaviest load has clients; their proxy tokens."""
    database, tokens = Database(url), [issue(TokenKind.PROXY) for _ in range(max(load.clients for load in LOADS))]
    async with database.transaction() as session:
        for number, token in enumerate(tokens):
            fields = {"slug": f"bench-{number}", "plan": "business", "bundle": "parenting", "bundle_version": "1"}
            tenant = Tenant(id=uuid.uuid4(), substrate="process", answers={}, desired_state="running", **fields)
            session.add(tenant)
            await session.flush()
            await register_proxy_token(session, tenant.id, token)
    await database.close()
    return " ".join(token.reveal() for token in tokens)


def run(*, seconds: float, repetitions: int) -> str:
    """Measure everything; the report."""
    lines = facts(_PACKAGES)
    samples: dict[tuple[str, str], list[Sample]] = {}
    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        tokens = asyncio.run(add_tenants(url))
        port, process = stack.enter_context(started("bench._vendor"))
        targets = [Target(name="direct", port=port, path="/v1/chat/completions", process=process)]
        for loop in ("asyncio", "uvloop"):
            vendor_url = f"http://127.0.0.1:{port}/v1"
            env = {"BENCH_DATABASE_URL": url}
            proxy = stack.enter_context(started("bench._proxy_process", vendor_url, loop, env=env))
            name = f"proxy, {loop}"
            targets.append(Target(name=name, port=proxy[0], path="/llm/v1/chat/completions", process=proxy[1]))
        for target in targets:
            measure(target, LOADS[0], seconds=min(1.0, seconds), tokens=tokens)  # the first requests pay for imports
        for _ in range(repetitions):
            for load in LOADS:
                for target in targets:
                    sample = measure(target, load, seconds=seconds, tokens=tokens)
                    samples.setdefault((load.name, target.name), []).append(sample)
    return report(samples, lines, seconds=seconds)


def main() -> int:
    """Run, print and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    text = run(seconds=options.seconds, repetitions=options.repetitions)
    sys.stdout.write(text)
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
