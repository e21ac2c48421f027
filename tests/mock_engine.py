"""Runs a Pulumi program against mocked resources, and leaves no event loop behind.

Pulumi's mock engine makes an event loop in every worker thread and closes none; with warnings as errors such a loop
fails whichever test happens to run when it is collected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pulumi
from pulumi.runtime import mocks as pulumi_mocks
from typing_extensions import override


class _KnownLoops(asyncio.DefaultEventLoopPolicy):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[asyncio.AbstractEventLoop] = []

    @override
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        self.made.append(super().new_event_loop())
        return self.made[-1]


def run_program(program: Callable[[], object], mocks: pulumi_mocks.Mocks, *, project: str, stack: str) -> list[str]:
    """Run `program` to its end, everything it awaits included; the URNs that it registered."""
    before, loops = asyncio.get_event_loop_policy(), _KnownLoops()
    asyncio.set_event_loop_policy(loops)
    asyncio.set_event_loop(asyncio.new_event_loop())
    try:
        monitor = pulumi_mocks.MockMonitor(mocks)
        pulumi_mocks.set_mocks(mocks, project=project, stack=stack, preview=False, monitor=monitor)
        under_engine: Callable[[Callable[[], object]], Callable[[], None]] = pulumi.runtime.test
        under_engine(program)()
        return [str(getattr(registered, "urn", registered)) for registered in monitor.get_registered_resources()]
    finally:
        for loop in loops.made:
            loop.close()
        asyncio.set_event_loop_policy(before)
