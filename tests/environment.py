"""What a program that a test starts inherits: this process's environment without what is set here for clawstack or Pulumi."""

from __future__ import annotations

import os
from typing import Final

WHERE_TOOLS_ARE: Final = "CLAWSTACK_CACHE_DIR"
"""Kept: without it the program looks where this machine's set-up did not put them."""


def unset_environment() -> dict[str, str]:
    """Of this process, without settings of clawstack and of Pulumi."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULUMI_", "CLAWSTACK_")) or name == WHERE_TOOLS_ARE
    }
