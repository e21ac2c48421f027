"""Runs a policy pack as a plugin of its own: `python -m toolchain.plugins.pack_runner FOLDER ENGINE [OPTION...]`.

The engine starts an executable given to `--policy-pack` by itself, without a language host: an update with a pack
then costs one interpreter instead of two (or three with the official host).
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

_PARENT_CHECK: Final = 1.0
"""Seconds between two looks at whether the engine still lives."""


def main() -> None:
    """Serves the pack until the engine is done. A pack decides and changes nothing, so it may end at any instant."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    folder, *engine = sys.argv[1:]
    sys.argv = ["pulumi.policy", *engine, folder]
    runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK)
    os._exit(0)


if __name__ == "__main__":
    main()
