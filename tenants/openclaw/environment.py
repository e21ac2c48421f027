"""The environment of a gateway: where its files are, its tokens, and everything that keeps it quiet and small."""

from __future__ import annotations

from typing import Final

from tenants.openclaw.names import CHANNEL_TOKEN, GATEWAY_TOKEN, PROXY_TOKEN
from tenants.spec import CellSpec

#: Node's heap may take this part of the cell's memory. Native memory (SQLite, TLS, images) is outside the heap: at 75 %
#: and more a busy gateway meets the cell's limit before Node collects (measured: 900 MB in use with a 512 MB heap).
_HEAP_SHARE: Final = 0.5
SECRET_NAMES: Final = frozenset({PROXY_TOKEN, CHANNEL_TOKEN, GATEWAY_TOKEN})


def environment(spec: CellSpec) -> dict[str, str]:
    """All variables of the gateway's process; the values of SECRET_NAMES are secret."""
    return {
        **_places(spec),
        "OPENCLAW_CONFIG_READONLY": "1",
        "OPENCLAW_DISABLE_BONJOUR": "1",
        "OPENCLAW_NO_RESPAWN": "1",
        "OPENCLAW_NO_AUTO_UPDATE": "1",
        "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
        "DO_NOT_TRACK": "1",
        "MALLOC_ARENA_MAX": "2",
        "NODE_OPTIONS": f"--max-old-space-size={heap_mb(spec)} --max-semi-space-size=8",
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        PROXY_TOKEN: spec.secrets.proxy_token.get_secret_value(),
        CHANNEL_TOKEN: spec.secrets.channel_token.get_secret_value(),
        GATEWAY_TOKEN: spec.secrets.gateway_token.get_secret_value(),
    }


def heap_mb(spec: CellSpec) -> int:
    """Node's old-space limit in MiB, always below 75 % of the cell's memory."""
    return int(spec.resources.memory_mb * _HEAP_SHARE)


def _places(spec: CellSpec) -> dict[str, str]:
    root = spec.directories.root
    state = root / "state"
    return {
        "HOME": str(state),
        "PATH": f"{spec.runtime.node.parent}:/usr/bin:/bin",
        "TMPDIR": str(state / "tmp"),
        "OPENCLAW_HOME": str(state),
        "OPENCLAW_STATE_DIR": str(state),
        "OPENCLAW_CONFIG_PATH": str(root / "config" / "openclaw.json"),
        "OPENCLAW_WORKSPACE_DIR": str(state / "workspace"),
    }
