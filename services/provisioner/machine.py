"""What this machine has to work with: CLI, plugins, Node, OpenClaw."""

from __future__ import annotations

import threading
from pathlib import Path

from services.provisioner.borders import Runtime
from services.provisioner.engine.engine import Tools
from toolchain.locate import Toolchain, locate
from toolchain.policy_packs import policy_pack


class Machine:
    """Looks for the tools once they are needed, and remembers only a look that found everything."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        """`runtime`: known tools; None looks for them with `toolchain.locate`."""
        self._runtime = runtime
        self._found: Toolchain | None = None
        self._lock = threading.Lock()

    def runtime(self) -> Runtime:
        """Everything; blocks. Raises NeedsAttentionError that names what is missing and the command that gets it."""
        with self._lock:
            if self._runtime is None:
                self._found = locate()
                self._runtime = _runtime(self._found)
            return self._runtime

    def tools(self) -> Tools:
        """What the engine needs."""
        runtime = self.runtime()
        return Tools(pulumi=runtime.pulumi, version=runtime.pulumi_version, plugin_path=runtime.plugin_path)

    def prepare_pack(self, folder: Path) -> Path:
        """The form of a policy pack that this machine's CLI starts most cheaply."""
        self.runtime()
        return folder if self._found is None else policy_pack(self._found, folder)


def _runtime(found: Toolchain) -> Runtime:
    return Runtime(
        pulumi=found.pulumi,
        pulumi_version=found.pulumi_version,
        plugin_path=found.plugin_path,
        node=found.node,
        openclaw=found.openclaw,
        openclaw_version=found.openclaw_version,
    )
