"""The demo waits as long as something is at work, says what for, and keeps what there is when that is asked for."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import typer

from clawstack.errors import PermanentError, TemporaryError
from services.cli import demo as command
from services.cli.demonstration import ground as grounds
from services.cli.demonstration import story as stories
from services.cli.demonstration.observe import Observer
from services.cli.demonstration.waiting import QUIET_SECONDS, Clock, Seen, WaitVerdict, judge

BEGUN = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
PENDING = Seen(state="pending")
AT_WORK = Seen(state="provisioning", operation="one", kind="provision", status="running")
STUCK = Seen(state="needs_attention", operation="one", kind="provision", status="failed", reason="No card.")


@pytest.mark.parametrize(
    ("first", "seen", "quiet", "verdict"),
    [
        (PENDING, replace(AT_WORK, state="healthy", status="succeeded"), 0, WaitVerdict.REACHED),
        (PENDING, AT_WORK, 0, WaitVerdict.WAIT),
        (PENDING, PENDING, QUIET_SECONDS - 1, WaitVerdict.WAIT),
        (PENDING, PENDING, QUIET_SECONDS, WaitVerdict.NOTHING_ALIVE),
        (PENDING, None, QUIET_SECONDS - 1, WaitVerdict.WAIT),
        (PENDING, None, QUIET_SECONDS, WaitVerdict.NOTHING_ALIVE),
        (PENDING, replace(STUCK, state="failed"), 0, WaitVerdict.ENDED_BADLY),
        (PENDING, STUCK, 0, WaitVerdict.ENDED_BADLY),
        (PENDING, replace(PENDING, state="deleted"), 0, WaitVerdict.ENDED_BADLY),
        # Somebody has just helped it out: the state is yesterday's until an operation says otherwise.
        (STUCK, STUCK, 5, WaitVerdict.WAIT),
        (STUCK, STUCK, QUIET_SECONDS, WaitVerdict.NOTHING_ALIVE),
        (STUCK, replace(STUCK, operation="two", status="running"), 0, WaitVerdict.WAIT),
        (STUCK, replace(STUCK, operation="two"), 0, WaitVerdict.ENDED_BADLY),
    ],
)
def test_what_follows_from_a_look(first, seen, quiet, verdict):
    assert judge("healthy", first, seen, quiet=quiet) is verdict


def test_what_is_alive():
    later = BEGUN + timedelta(seconds=9)
    failed = replace(AT_WORK, status="failed")
    assert AT_WORK.alive(BEGUN)
    assert not failed.alive(BEGUN)
    assert replace(failed, retry_at=later).alive(BEGUN)
    assert not replace(failed, retry_at=BEGUN).alive(later)


@dataclass
class Platform:
    """A stand-in for `/v1` and for the time: `script` tells by the minute how the tenant is."""

    script: list[tuple[float, Seen]]
    seconds: float = 0.0
    silent: tuple[float, float] = (0.0, 0.0)
    """Between these it does not answer."""
    said: list[str] = field(default_factory=list)
    urls: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(platform="http://platform.test"))

    def run(self, *_arguments: str) -> str:
        return json.dumps({"token": "operator"})

    def at_close(self, close) -> None:
        close  # noqa: B018 - nothing to close

    def require_alive(self) -> None:
        return

    def say(self, line: str) -> None:
        self.said.append(line)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> datetime:
        return BEGUN + timedelta(seconds=self.seconds)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.silent[0] <= self.seconds < self.silent[1]:
            raise httpx.ReadTimeout("busy", request=request)
        seen = [found for minute, found in self.script if minute * 60 <= self.seconds][-1]
        if request.url.path.endswith("/events"):
            return httpx.Response(200, json=[{"message": "Creating gateway"}])
        if request.url.path == "/v1/operations":
            assert dict(request.url.params) == {"tenant": "sam", "limit": "1"}
            row = {"id": seen.operation, "kind": seen.kind, "status": seen.status, "attempt": seen.attempt}
            return httpx.Response(200, json={"items": [row] if seen.operation else []})
        retry_at = seen.retry_at.isoformat() if seen.retry_at else None
        tenant = {"state": seen.state, "state_code": seen.code, "state_reason": seen.reason, "retry_at": retry_at}
        return httpx.Response(200, json=tenant)

    def observer(self) -> Observer:
        clock = Clock(seconds=lambda: self.seconds, now=self.now, sleep=self.sleep)
        return Observer(self, transport=httpx.MockTransport(self.answer), clock=clock)  # type: ignore[arg-type]


def test_a_slow_operation_is_waited_for_and_told_about():
    platform = Platform([(0, PENDING), (1, AT_WORK), (45, replace(AT_WORK, state="healthy", status="succeeded"))])
    assert platform.observer().await_state("sam", "healthy")["state"] == "healthy"
    assert 45 * 60 <= platform.seconds < 46 * 60
    assert 100 < len(platform.said) < 200
    assert platform.said[-1] == (
        'waiting for sam to be healthy (2685 s): it is provisioning; provision, attempt 1, running; last: "Creating gateway"'
    )


def test_an_announced_attempt_is_waited_for():
    failed = replace(
        AT_WORK, status="failed", retry_at=BEGUN + timedelta(minutes=9), code="no_image", reason="No image."
    )
    second = replace(AT_WORK, state="healthy", status="succeeded", operation="two")
    platform = Platform([(0, AT_WORK), (1, failed), (9, second)])
    platform.observer().await_state("sam", "healthy")
    assert any("no_image: No image." in line and "to be tried again at 12:09:00" in line for line in platform.said)


def test_a_platform_out_of_breath_is_waited_for():
    platform = Platform([(0, AT_WORK), (5, replace(AT_WORK, state="healthy"))], silent=(60, 60 + QUIET_SECONDS - 1))
    platform.observer().await_state("sam", "healthy")
    assert any("the platform does not answer" in line for line in platform.said)


def test_a_bad_end_is_told_at_once_with_its_cause():
    platform = Platform([(0, AT_WORK), (2, replace(STUCK, code="needs_card"))])
    with pytest.raises(PermanentError) as caught:
        platform.observer().await_state("sam", "healthy")
    assert platform.seconds < 2 * 60 + 1
    assert caught.value.message == (
        "sam will not be healthy: it is needs_attention (needs_card: No card.); provision, attempt 1, failed."
        "\nThe last events:\n  Creating gateway"
    )


@pytest.mark.parametrize("silent", [(0.0, 0.0), (60.0, 1e9), (0.0, 1e9)])
def test_the_wait_ends_when_nothing_is_alive_any_more(silent):
    platform = Platform([(0, PENDING), (10, replace(AT_WORK, state="healthy"))], silent=silent)
    with pytest.raises(TemporaryError, match=f"nothing was at work for {QUIET_SECONDS:.0f} s"):
        platform.observer().await_state("sam", "healthy")
    assert platform.seconds <= 60 + QUIET_SECONDS + 1


def test_who_asserts_a_time_gets_it():
    with pytest.raises(TemporaryError, match="Waited 60 s for sam to be healthy, it took too long"):
        Platform([(0, AT_WORK)]).observer().await_state("sam", "healthy", seconds=60)


class FailingStory:
    """Gets as far as the sign-up."""

    signup_id = "su_1"

    def __init__(self, *_: object) -> None:
        self.raised: BaseException = PermanentError("sam will not be healthy.")

    def until_live(self) -> None:
        raise self.raised


class InterruptedStory(FailingStory):
    def __init__(self, *_: object) -> None:
        self.raised = KeyboardInterrupt()


class SurprisedStory(FailingStory):
    def __init__(self, *_: object) -> None:
        self.raised = KeyError("nobody thought of this")


@dataclass
class LeftWorld:
    """Notes what is done with it."""

    folder: Path
    done: list[str] = field(default_factory=list)
    addresses: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(platform="http://p", telegram_link_base="http://t", sandbox="http://s")
    )

    def remember(self) -> None:
        self.done.append("remembered")

    def close(self, *, remove: bool) -> None:
        self.done.append("removed" if remove else "ended")


@pytest.mark.parametrize(
    ("story", "keep", "done"),
    [
        (FailingStory, True, "remembered"),
        (FailingStory, False, "ended"),
        (SurprisedStory, True, "remembered"),
        (SurprisedStory, False, "ended"),
        (InterruptedStory, True, "ended"),
        (InterruptedStory, False, "ended"),
    ],
)
def test_a_failed_demo_leaves_what_there_is_when_it_is_to_be_kept(monkeypatch, tmp_path, capsys, story, keep, done):
    world = LeftWorld(tmp_path)

    @contextmanager
    def prepared(*_: object, **__: object):
        yield SimpleNamespace(world=world, evidence=None)

    monkeypatch.setattr(grounds, "prepared", prepared)
    monkeypatch.setattr(stories, "Story", story)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    with pytest.raises(typer.Exit) as caught:
        command.demo(keep=keep, stop=None, substrate="process")
    assert caught.value.exit_code == 1
    assert world.done == [done]
    out, err = capsys.readouterr()
    said = {FailingStory: "sam will not be healthy.", SurprisedStory: "KeyError", InterruptedStory: "interrupted"}
    assert said[story] in err
    assert (f"demo --stop {tmp_path}" in out and "http://p/welcome/su_1" in out) is (done == "remembered")
    assert str(tmp_path) in out + err
