"""The LanguageRuntime service that the engine calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
from typing_extensions import override

from toolchain.plugins.python_host import commands
from toolchain.plugins.python_host.children import Children, output_of

_SAID_ITS_REASON: Final = 32
"""Exit code of the runner script when the person has already been told what is wrong."""


class PythonHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs and policy packs with one interpreter each."""

    def __init__(self, *, runner: Path, engine: str, children: Children) -> None:
        """`runner`: Pulumi's `pulumi-language-python-exec`; `engine`: its address as given at the start."""
        self._runner = runner
        self._engine = engine
        self._children = children

    @override
    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    @override
    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    @override
    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        # Nothing to install ahead: `toolchain setup` got the plugins, and listing packages costs an interpreter start.
        return language_pb2.GetRequiredPackagesResponse()

    @override
    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        return language_pb2.GetRequiredPluginsResponse()

    @override
    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    @override
    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        found = {d.metadata["Name"]: d.version for d in metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=found[name]) for name in sorted(found)]
        )

    @override
    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        return language_pb2.RuntimeOptionsResponse()

    @override
    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        sentence = f"Dependencies come from the environment of {sys.executable}; `make setup` installs them.\n"
        yield language_pb2.InstallDependenciesResponse(stdout=sentence.encode())

    @override
    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        python = commands.interpreter(request.info, sys.executable, os.environ)
        code = self._children.run(
            commands.run_command(request, python=python, runner=self._runner, engine=self._engine),
            folder=Path(request.pwd),
            environ=commands.run_environment(request, os.environ),
        )
        if code in {0, _SAID_ITS_REASON}:
            return language_pb2.RunResponse(bail=code == _SAID_ITS_REASON)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return language_pb2.RunResponse(error=f"The program {ended}.")

    @override
    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        python = commands.interpreter(request.info, sys.executable, os.environ)
        child = self._children.start(
            commands.plugin_command(request, python=python),
            folder=Path(request.pwd),
            environ=commands.plugin_environment(request, os.environ),
        )
        # The engine ends a pack by cancelling this call.
        if not context.add_callback(lambda: self._children.end(child)):
            self._children.end(child)
        for stream, piece in output_of(child):
            yield _piece(stream, piece)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    @override
    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._children.end_all()
        return empty_pb2.Empty()


def _piece(stream: str, piece: bytes) -> language_pb2.RunPluginResponse:
    if stream == "stdout":
        return language_pb2.RunPluginResponse(stdout=piece)
    return language_pb2.RunPluginResponse(stderr=piece)
