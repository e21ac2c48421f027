"""What this machine has to work with: CLI, plugins, Node, OpenClaw."""

from __future__ import annotations

import threading
from pathlib import Path

from services.cells.engine.engine import Tools
from services.cells.provisioner.borders import Runtime
from toolchain.locate import Toolchain, locate
from toolchain.policy_packs import policy_pack


class Machine:
    """Looks for the tools once they are needed, and remembers only a look that found everything."""

    def __init__(self, runtime: Runtime | None = None, *, production: bool = False) -> None:
        """`runtime`: known tools; None looks for them with `toolchain.locate`.

        `production`: offline plugins are not shown to the engine; what needs one fails and names the official one.
        """
        self._runtime = runtime
        self._production = production
        self._found: Toolchain | None = None
        self._lock = threading.Lock()

    def runtime(self) -> Runtime:
        """Everything; blocks. Raises NeedsAttentionError that names what is missing and the command that gets it."""
        with self._lock:
            if self._runtime is None:
                self._found = locate()
                self._runtime = _runtime(self._found, production=self._production)
            return self._runtime

    def tools(self) -> Tools:
        """What the engine needs."""
        runtime = self.runtime()
        return Tools(pulumi=runtime.pulumi, version=runtime.pulumi_version, plugin_path=runtime.plugin_path)

    def prepare_pack(self, folder: Path) -> Path:
        """The form of a policy pack that this machine's CLI starts most cheaply."""
        self.runtime()
        return folder if self._found is None else policy_pack(self._found, folder)


def _runtime(found: Toolchain, *, production: bool) -> Runtime:
    hidden = {plugin.path.parent for plugin in found.plugins if production and plugin.origin == "offline"}
    return Runtime(
        pulumi=found.pulumi,
        pulumi_version=found.pulumi_version,
        plugin_path=tuple(path for path in found.plugin_path if path not in hidden),
        node=found.node,
        openclaw=found.openclaw,
        openclaw_version=found.openclaw_version,
    )
