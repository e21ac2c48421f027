"""The offline hcloud plugin as the process that the engine starts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc
from typing_extensions import override

from clawstack.plugin_server.values import to_struct
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.unit.hcloud_plugin.engine_calls import accepted, urn
from tests.waiting import patient, until

MODULE = "toolchain.plugins.hcloud_provider.main"


class Log(engine_pb2_grpc.EngineServicer):
    """The engine's log."""

    def __init__(self) -> None:
        self.heard: list[engine_pb2.LogRequest] = []

    @override
    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.heard.append(request)
        return empty_pb2.Empty()


@pytest.fixture
def log() -> Iterator[tuple[Log, str]]:
    server = grpc.server(ThreadPoolExecutor(4))
    heard = Log()
    engine_pb2_grpc.add_EngineServicer_to_server(heard, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield heard, f"127.0.0.1:{port}"
    server.stop(0).wait(patient(5))


@pytest.fixture
def plugin(tmp_path: Path, log: tuple[Log, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-m", "toolchain.plugins", MODULE, str(tmp_path), log[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def channel(process: subprocess.Popen[str]) -> grpc.Channel:
    assert process.stdout is not None
    return grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")


def begun(hetzner: Hetzner, way: grpc.Channel) -> Any:
    """A server whose creation takes a minute."""
    stub = provider_pb2_grpc.ResourceProviderStub(way)
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 60}})
    arguments = to_struct({"token": hetzner.token, "endpoint": hetzner.endpoint, "pollInterval": "50ms"})
    stub.Configure(provider_pb2.ConfigureRequest(args=arguments), timeout=patient(20))
    inputs = to_struct(accepted("Server", name="slow", location="fsn1"))
    request = provider_pb2.CreateRequest(urn=urn("Server"), properties=inputs)
    pending = stub.Create.future(request, timeout=60)
    until(lambda: hetzner.names("servers"), "a server", seconds=20, pause=0.02)
    return pending


def test_it_announces_itself_and_goes_quietly_and_at_once(plugin: subprocess.Popen[str]) -> None:
    with channel(plugin) as way:
        info = provider_pb2_grpc.ResourceProviderStub(way).GetPluginInfo(empty_pb2.Empty(), timeout=patient(20))
    assert info.version == "1.43.3"
    started = time.monotonic()
    plugin.send_signal(signal.SIGINT)
    assert plugin.wait(patient(10)) == 0
    assert time.monotonic() - started < patient(2)
    assert plugin.stderr is not None
    assert plugin.stderr.read() == ""


def test_an_interrupt_ends_a_long_create_quietly_and_reports_the_server(
    hetzner: Hetzner, plugin: subprocess.Popen[str]
) -> None:
    with channel(plugin) as way:
        pending = begun(hetzner, way)
        started = time.monotonic()
        plugin.send_signal(signal.SIGINT)
        with pytest.raises(grpc.RpcError) as ended:
            pending.result(timeout=patient(20))
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 0.02}})
    assert plugin.wait(patient(10)) == 0
    assert time.monotonic() - started < patient(5)
    assert "the next run goes on from there" in (ended.value.details() or "")
    told: Any = ended.value.trailing_metadata()
    metadata = dict(told)
    assert str(hetzner.objects()["servers"][0]["id"]).encode() in metadata["grpc-status-details-bin"]
    assert plugin.stderr is not None
    assert plugin.stderr.read() == ""


def test_the_engine_hears_how_far_hetzner_is(
    hetzner: Hetzner, plugin: subprocess.Popen[str], log: tuple[Log, str]
) -> None:
    with channel(plugin) as way:
        pending = begun(hetzner, way)
        until(lambda: log[0].heard, "a line of the log", seconds=20, pause=0.02)
        hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 0.02}})
        hetzner.tell("settle")
        assert pending.result(timeout=patient(20)).id
    first = log[0].heard[0]
    assert (first.urn, first.ephemeral, first.severity) == (urn("Server"), True, engine_pb2.INFO)
    assert first.message.startswith("create server (")


def test_a_plugin_ends_when_its_engine_is_killed(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-I', '-m', 'toolchain.plugins', {MODULE!r}, {str(tmp_path)!r}],"
        " stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline().strip(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        number = int(engine.stdout.readline().split()[0])
        engine.kill()
    until(lambda: not _lives(number), f"the end of {number}", seconds=15)


def _lives(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().split()[2]
    except OSError:
        return False
