"""When a gateway that says nothing is given up: on a clock of the test's own."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator

import pytest

from tenants.process.ports import account_on
from tenants.process.silence import FIRST_ANSWER_SECONDS, SilenceWatch
from tests.integration.tenants.harness import free_port


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Unwell(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def unused_port() -> int:
    return free_port()


@pytest.fixture
def answering() -> Iterator[int]:
    """A port on which somebody answers, if only that it is unwell: its event loop turns."""
    with http.server.HTTPServer(("127.0.0.1", 0), Unwell) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _look_at(watch: SilenceWatch, clock: Clock, *moments: float) -> list[str | None]:
    seen = []
    for clock.now in moments:
        seen.append(watch.look())
    return seen


def test_a_gateway_that_once_answered_and_is_silent_for_its_time_must_go(answering: int, unused_port: int) -> None:
    clock = Clock()
    watch = SilenceWatch(port=answering, seconds=120.0, clock=clock)
    assert _look_at(watch, clock, 0.0, 10.0) == [None, None]
    watch.port = unused_port
    assert _look_at(watch, clock, 20.0, 129.0) == [None, None]
    assert _look_at(watch, clock, 140.0) == ["it did not answer on /healthz for 120 s"]


def test_a_gateway_that_never_answered_has_longer(unused_port: int) -> None:
    clock = Clock()
    watch = SilenceWatch(port=unused_port, seconds=120.0, clock=clock)
    assert _look_at(watch, clock, 0.0, 130.0, FIRST_ANSWER_SECONDS - 1) == [None, None, None]
    assert _look_at(watch, clock, FIRST_ANSWER_SECONDS + 10) == ["it did not answer on /healthz for 600 s"]


def test_an_answer_in_between_starts_the_silence_anew(answering: int, unused_port: int) -> None:
    clock = Clock()
    watch = SilenceWatch(port=answering, seconds=120.0, clock=clock)
    _look_at(watch, clock, 0.0)
    watch.port = unused_port
    _look_at(watch, clock, 110.0)
    watch.port = answering
    _look_at(watch, clock, 121.0)
    watch.port = unused_port
    assert _look_at(watch, clock, 230.0) == [None]


def test_the_account_on_a_port_is_told_and_nobodys_port_is_nobodys(answering: int, unused_port: int) -> None:
    assert account_on(answering) == os.geteuid()
    assert account_on(unused_port) is None
