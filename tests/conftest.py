"""What holds for every test."""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator

import pytest

pytest_plugins = (  # those that others import come first: pytest rewrites their assertions when it imports them
    "tests.plugins.reports",
    "tests.plugins.durations",
    "tests.plugins.spreading",
    "tests.plugins.second_try",
)


def pytest_configure() -> None:
    """Let SIGINT mean something again.

    A shell that runs a job in the background starts it with SIGINT ignored, every process that tests start inherits
    that, and then tests of Ctrl-C wait in vain (seen: a CI started with `nohup ... &`).
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """No garbage collection while a failure is written up.

    CPython before 3.11.8 cannot parse while it parses (https://github.com/python/cpython/issues/106905): a finalizer
    that complains while pytest parses the failed test's source ended the whole session with a SystemError (seen in CI).
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if collecting:
            gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _garbage_of_its_own() -> Generator[None, None, None]:
    """What a module left unclosed complains in that module, not in whichever test happens to run later."""
    yield
    gc.collect()
