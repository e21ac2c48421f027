"""The Telegram stand-in as a process of its own, one bot of it per test, and the router in front of it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from services.kit.context import Platform
from tests.integration.telegram.harness import REPOSITORY, People, World, serving, settings_for
from tests.waiting import await_ready, patient

_BOTS = 150


@pytest.fixture(scope="session")
def telegram_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Root of the stand-in's Bot API."""
    ready: Path = tmp_path_factory.mktemp("telegram") / "ready"
    command = [sys.executable, "-m", "sandbox", "--only", "telegram", "--port", "0", "--ready-file", str(ready)]
    for number in range(_BOTS):
        command += ["--telegram-bot", f"{_name(number)}={_token(number)}"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    await_ready(process, ready, seconds=20)
    yield json.loads(ready.read_text())["telegram_api_root"]
    process.terminate()
    process.wait(patient(10))


@pytest.fixture(scope="session")
def bot_numbers() -> Iterator[int]:
    return iter(range(_BOTS))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=patient(60))) as session:
        yield session


@pytest.fixture
async def people(telegram_root: str, bot_numbers: Iterator[int], http: aiohttp.ClientSession) -> People:
    """People around a bot that no other test uses."""
    number = next(bot_numbers)
    return People(root=telegram_root, bot=_name(number), token=_token(number), http=http)


@pytest.fixture
def world(platform: Platform, people: People, http: aiohttp.ClientSession) -> World:
    """A platform without a running router yet."""
    settings = settings_for(people, data_dir=platform.settings.data_dir, telegram_bot_username=people.bot)
    platform.redactor.register(*settings.secret_values())
    return World(platform=replace(platform, settings=settings), people=people, http=http)


@pytest.fixture
async def router(world: World) -> AsyncIterator[World]:
    """A platform whose router polls the stand-in."""
    async with serving(world.platform) as root:
        world.root = root
        yield world


def _name(number: int) -> str:
    return f"Claw{number}TestBot"


def _token(number: int) -> str:
    return f"{700000000 + number}:AAtestBotToken_{number:04d}_" + "".join(itertools.repeat("x", 17))
