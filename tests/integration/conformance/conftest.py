"""Each test once for every plugin that is compared, spoken to as the engine does: a process of its own, over gRPC."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc
from typing_extensions import override

from tests.integration.conformance.speaking import Plugin
from tests.integration.hcloud_plugin.standin import Hetzner, running
from tests.plugins.pulumi_plugins import Compared, once_for_each
from tests.waiting import patient


class _Log(engine_pb2_grpc.EngineServicer):
    @override
    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module's NAME says which plugin it is about."""
    once_for_each(metafunc, "plugin", metafunc.module.NAME)


@pytest.fixture(scope="module")
def plugin(request: pytest.FixtureRequest) -> Iterator[Plugin]:
    with _started(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def hetzner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hetzner]:
    with running(Path(tmp_path_factory.mktemp("hetzner"))) as found:
        yield found


@contextmanager
def _started(chosen: Compared) -> Iterator[Plugin]:
    server = grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(_Log(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with subprocess.Popen([chosen.path, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = f"127.0.0.1:{int(process.stdout.readline())}"
            with grpc.insecure_channel(address) as channel:
                yield Plugin(name=chosen.name, stub=provider_pb2_grpc.ResourceProviderStub(channel))
        finally:
            process.kill()
            server.stop(0).wait(patient(5))
