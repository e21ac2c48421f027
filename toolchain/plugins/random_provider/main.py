"""Start of `pulumi-resource-random`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from clawstack.plugin_server.serving import serve
from toolchain.plugins.random_provider.provider import RandomProvider


def main(folder: Path, arguments: Sequence[str]) -> None:  # noqa: ARG001 - every plugin is started alike
    """Serves until the engine is done; of the SDK's version, which the engine compares with its own wish."""
    serve(RandomProvider(version=metadata.version("pulumi-random")))
