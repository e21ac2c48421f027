"""`clawstack sandbox`: the stand-ins for Stripe, Telegram and a model vendor, as a process of their own."""

from __future__ import annotations

import os
import sys

import typer


def sandbox(context: typer.Context) -> None:
    """Run the stand-ins for Stripe, Telegram and a model vendor on this machine, for development and demonstration.

    Options are passed on; `clawstack sandbox --help` tells them. It prints the settings that point the platform at it.
    """
    # Replaced, not imported: the product never imports the sandbox (import contract).
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *context.args])  # noqa: S606 - our own module
