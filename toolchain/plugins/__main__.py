"""Starts one plugin in this process: `python -m toolchain.plugins MODULE FOLDER [ARGUMENT...]`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from clawstack.plugin_server.lean import skip_pulumi_package


def main() -> None:
    """Hands over to the plugin's own `main`, which serves until the engine is done."""
    skip_pulumi_package()
    importlib.import_module(sys.argv[1]).main(Path(sys.argv[2]), sys.argv[3:])


main()
