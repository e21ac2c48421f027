"""Waits end with the condition, or with what was seen last."""

from __future__ import annotations

import asyncio

import pytest

from tests import waiting
from tests.waiting import eventually, patient, until, within


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 2)


def test_limits_scale_by_one_setting() -> None:
    assert patient(10) == 20


def test_the_first_true_answer_comes_back() -> None:
    answers = iter([None, "", 0, "there"])
    assert until(lambda: next(answers), "an answer", pause=0) == "there"


def test_what_never_comes_is_named_with_what_was_seen() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0\.02 s: three pods; seen last: \[\]$"):
        until(list, "three pods", seconds=0.01, pause=0)


async def test_conditions_of_an_event_loop_may_be_coroutines() -> None:
    answers = iter([[], ["pod"]])

    async def ask() -> list[str]:
        return next(answers)

    assert await eventually(ask, "a pod", pause=0) == ["pod"]
    assert await eventually(lambda: 7, "seven") == 7
    with pytest.raises(AssertionError, match=r"not within 0\.02 s: a pod; seen last: None"):
        await eventually(lambda: None, "a pod", seconds=0.01, pause=0)


async def test_a_block_that_takes_too_long_says_what_there_was() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.02 s: the end; seen last: half of it"):
        async with within(0.01, "the end", seen=lambda: "half of it"):
            await asyncio.sleep(30)
    with pytest.raises(TimeoutError, match="its own"):
        async with within(10, "the end"):
            raise TimeoutError("its own")
