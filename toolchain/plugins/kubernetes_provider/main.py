"""Start of `pulumi-resource-kubernetes`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from clawstack.plugin_server.serving import serve
from toolchain.plugins.kubernetes_provider.provider import KubernetesProvider

_GRACE_SECONDS: Final = 3.0
"""For a request in flight: the server has it already, and its answer must reach the state."""


def main(folder: Path, arguments: Sequence[str]) -> None:  # noqa: ARG001 - every plugin is started alike
    """Serves until the engine is done; of the SDK's version, which the engine compares with its own wish."""
    provider = KubernetesProvider(version=metadata.version("pulumi-kubernetes"))
    serve(provider, grace=_GRACE_SECONDS, on_stop=provider.stop)
