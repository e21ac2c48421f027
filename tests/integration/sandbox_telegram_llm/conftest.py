from collections.abc import AsyncIterator

import pytest

from tests.integration.sandbox_telegram_llm.process import Sandbox, running


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as started:
        yield started
