"""The offline kubernetes plugin as the process that the engine starts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from clawstack.plugin_server.values import to_struct
from tests.integration.kubernetes_plugin.fake_api import Cluster, serve
from tests.integration.kubernetes_plugin.test_kubernetes_plugin_protocol import NAMESPACE, kubeconfig, urn
from tests.waiting import patient

MODULE = "toolchain.plugins.kubernetes_provider.main"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-m", "toolchain.plugins", MODULE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def channel(process: subprocess.Popen[str]) -> grpc.Channel:
    assert process.stdout is not None
    return grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")


def test_it_announces_itself_and_goes_quietly_and_at_once(plugin: subprocess.Popen[str]) -> None:
    with channel(plugin) as way:
        info = provider_pb2_grpc.ResourceProviderStub(way).GetPluginInfo(empty_pb2.Empty(), timeout=patient(20))
    assert info.version.count(".") >= 2
    started = time.monotonic()
    plugin.send_signal(signal.SIGINT)
    assert plugin.wait(patient(10)) == 0
    assert time.monotonic() - started < patient(2)
    assert plugin.stderr is not None
    assert plugin.stderr.read() == ""


def test_an_interrupt_ends_a_long_delete_with_a_sentence(plugin: subprocess.Popen[str]) -> None:
    for cluster in serve(Cluster(lingering=1_000_000)):
        cluster.objects["/api/v1/namespaces/cell-anna"] = {
            **NAMESPACE,
            "metadata": {**NAMESPACE["metadata"], "uid": "u"},
        }
        with channel(plugin) as way:
            stub = provider_pb2_grpc.ResourceProviderStub(way)
            arguments = to_struct({"kubeconfig": kubeconfig(cluster)})
            stub.Configure(provider_pb2.ConfigureRequest(args=arguments), timeout=patient(20))
            old = to_struct(NAMESPACE)
            pending = stub.Delete.future(
                provider_pb2.DeleteRequest(urn=urn(NAMESPACE), id="x", properties=old, old_inputs=old), timeout=60
            )
            while not any(call[0] == "DELETE" for call in list(cluster.calls)):
                time.sleep(0.02)
            plugin.send_signal(signal.SIGINT)
            with pytest.raises(grpc.RpcError) as ended:
                pending.result(timeout=patient(20))
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert plugin.wait(patient(10)) == 0
