"""Start of `pulumi-resource-hcloud`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from clawstack.plugin_server.serving import serve
from toolchain.plugins.hcloud_provider.provider import HcloudProvider

_GRACE_SECONDS: Final = 5.0
"""For a request in flight: Hetzner has it already, and its answer must reach the state."""
_CALLS: Final = 64
"""At once; nearly all of them only wait for Hetzner."""


def main(folder: Path, arguments: Sequence[str]) -> None:  # noqa: ARG001 - every plugin is started alike
    """Serves until the engine is done; of the SDK's version, which the engine compares with its own wish."""
    engine = arguments[-1] if arguments and ":" in arguments[-1] else ""
    provider = HcloudProvider(version=metadata.version("pulumi-hcloud"), engine=engine)
    serve(provider, grace=_GRACE_SECONDS, on_stop=provider.stop, threads=_CALLS)
