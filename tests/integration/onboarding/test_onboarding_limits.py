"""Limits of sign-up are counted once for all processes, and asked before a body is read."""

from __future__ import annotations

import asyncio

import pytest

from clawstack.errors import LimitExceededError
from services.kit.limits import repository
from services.kit.limits.addresses import AddressLimiter
from services.run.context import ProcessPlatform
from tests.attackers import Victim, request
from tests.integration.billing.fixtures import StandIn
from tests.integration.billing.world import opened_world
from tests.waiting import patient


def limiter_of(platform: ProcessPlatform, name: str) -> AddressLimiter:
    return AddressLimiter(platform.database, name=name, per_minute=3)


async def test_two_processes_count_one_address_together(platform: ProcessPlatform) -> None:
    processes = [limiter_of(platform, "together") for _ in range(2)]
    attempts = [processes[turn % 2].admit("192.0.2.1") for turn in range(10)]
    refused = [error for error in await asyncio.gather(*attempts, return_exceptions=True) if error is not None]
    assert len(refused) == 7
    for error in refused:
        assert isinstance(error, LimitExceededError)
        assert 1 <= (error.retry_after or 0) <= 20
    await processes[0].admit("192.0.2.2")
    await limiter_of(platform, "something else").admit("192.0.2.1")
    async with platform.database.transaction() as session:
        await repository.forget_rested(session)  # nobody has rested yet
    with pytest.raises(LimitExceededError):
        await limiter_of(platform, "together").admit("192.0.2.1")


async def test_who_signs_up_too_often_is_told_before_a_body_comes_whatever_the_headers_say(
    platform: ProcessPlatform, stripe_stand_in: StandIn
) -> None:
    async with opened_world(platform, stripe_stand_in, signup_rate_per_minute=1) as world:
        victim = Victim(port=world.platform.settings.port)
        for path in ("/v1/checkout", "/signup"):
            await world.http.post(path)
        for number, path in enumerate(("/v1/checkout", "/signup")):
            headers = {"X-Forwarded-For": f"198.51.100.{number}", "Connection": "close"}
            async with asyncio.timeout(patient(10)):
                answer = await victim.says(request("POST", path, length=1000, headers=headers))
            assert answer.startswith(b"HTTP/1.1 429")
            assert b"retry-after" in answer.lower()
