"""What holds for every test."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let SIGINT mean something again.

    A shell that runs a job in the background starts it with SIGINT ignored, every process that tests start inherits
    that, and then tests of Ctrl-C wait in vain (seen: a CI started with `nohup ... &`).
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
