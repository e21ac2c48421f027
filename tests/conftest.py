"""What holds for every test."""

from __future__ import annotations

import signal

pytest_plugins = (  # those that others import come first: pytest rewrites their assertions when it imports them
    "tests.plugins.properties",
    "tests.plugins.garbage",
    "tests.plugins.limits",
    "tests.plugins.reports",
    "tests.plugins.durations",
    "tests.plugins.spreading",
    "tests.plugins.second_try",
    "tests.plugins.pulumi_plugins",
)


def pytest_configure() -> None:
    """Let SIGINT mean something again.

    A shell that runs a job in the background starts it with SIGINT ignored, every process that tests start inherits
    that, and then tests of Ctrl-C wait in vain (seen: a CI started with `nohup ... &`). Workers of a run inherit it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
