"""What this machine has to work with: CLI, plugins, Node, OpenClaw."""

from __future__ import annotations

import threading
from pathlib import Path

from clawstack.tools import Tools
from toolchain.ground.policy_packs import policy_pack
from toolchain.locate import locate


class Machine:
    """Looks for the tools once they are needed, and remembers only a look that found everything."""

    def __init__(self, tools: Tools | None = None, *, production: bool = False) -> None:
        """`tools`: known ones; None looks for them with `toolchain.locate`.

        `production`: offline plugins are not shown to the engine; what needs one fails and names the official one.
        """
        self._tools = tools
        self._looks = tools is None
        self._production = production
        self._lock = threading.Lock()

    def tools(self) -> Tools:
        """Everything; blocks. Raises NeedsAttentionError that names what is missing and the command that gets it."""
        with self._lock:
            if self._tools is None:
                found = locate()
                self._tools = found.without_offline() if self._production else found
            return self._tools

    def prepare_pack(self, folder: Path) -> Path:
        """The form of a policy pack that this machine's CLI starts most cheaply."""
        tools = self.tools()
        return policy_pack(tools, folder) if self._looks else folder
