"""Forks and runs away from whoever lists its processes one by one; ends when nothing of it is killed any more, never else.

Its first process says "{}" and ends: what it began goes on.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

MOST = 100


def main() -> None:
    """Each process lives for a moment only, and leaves two behind as long as there is room."""
    resource.setrlimit(resource.RLIMIT_NPROC, (MOST, MOST))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    for descriptor in range(3):
        os.close(descriptor)
    if os.fork():
        os._exit(0)
    while True:
        try:
            if os.fork():
                os._exit(0)
            os.fork()
        except OSError:
            continue


if __name__ == "__main__":
    main()
