"""Start of `pulumi-language-python`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pulumi.runtime.proto import language_pb2_grpc

from clawstack.plugin_server.serving import serve
from toolchain.plugins.python_host.children import Children
from toolchain.plugins.python_host.host import PythonHost


def main(folder: Path, arguments: Sequence[str]) -> None:
    """Serves until the engine is done.

    Pulumi's runner script lies in `folder`; the engine's address is the last argument that is no option.
    """
    plain = [argument for argument in arguments if not argument.startswith("-")]
    children = Children()
    host = PythonHost(
        runner=folder / "pulumi-language-python-exec", engine=plain[-1] if plain else "", children=children
    )
    serve(host, register=language_pb2_grpc.add_LanguageRuntimeServicer_to_server, on_stop=children.end_all)
