"""The life of a namespace cell through the real engine on a real API server, once for each kubernetes plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.control_plane.api_server import ApiServer, serving
from tests.integration.namespace.engine_stack import OBJECTS, Stack, prepared
from tests.plugins.pulumi_plugins import Compared, once_for_each
from tests.unit.k3s.clusters import node

NAMESPACE = "cell-emma-parent-x7k2mq"
PODS = ("-n", NAMESPACE, "statefulset", "gateway")
WALL = ("-n", NAMESPACE, "networkpolicy", "default-deny")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    once_for_each(metafunc, "plugin", "kubernetes")


@pytest.fixture(scope="module")
def plugin(request: pytest.FixtureRequest) -> Compared:
    found: Compared = request.param
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serving(tmp_path_factory.mktemp("controlled"), node(), controllers=True) as found:
        yield found


@pytest.fixture
def stack(server: ApiServer, plugin: Compared, tmp_path: Path) -> Stack:
    return prepared(tmp_path, plugin, server.kubeconfig.read_text(), storage_class=None, priority_classes={})


def test_a_cells_life_is_stack_up_and_stack_destroy(stack: Stack, server: ApiServer) -> None:
    assert stack.run("preview") == {"create": OBJECTS + 3}
    assert "NotFound" in server("get", "namespace", NAMESPACE, check=False)
    assert stack.run("up") == {"create": OBJECTS + 3}
    uid = server("get", *PODS, "-o", "jsonpath={.metadata.uid}")
    assert stack.run("up") == {}
    assert stack.run("refresh") == {}, "what the server adds is no drift"

    changed = {"models": {"primary": "gpt-5", "allowed": ["gpt-5"]}, "restart_nonce": "again"}
    assert stack.run("up", **changed) == {"update": 2}
    assert stack.run("up", **changed, desired="suspended") == {"update": 1}
    assert json.loads(server("get", *PODS, "-o", "json"))["spec"]["replicas"] == 0
    assert server("get", *PODS, "-o", "jsonpath={.metadata.uid}") == uid, "nothing was replaced"

    server("patch", *PODS, "--type=merge", "-p", json.dumps({"spec": {"replicas": 3}}))
    server("delete", *WALL)
    assert stack.run("refresh", **changed, desired="suspended") == {"update": 1, "delete": 1}
    assert stack.run("up", **changed, desired="suspended") == {"update": 1, "create": 1}
    assert json.loads(server("get", *PODS, "-o", "json"))["spec"]["replicas"] == 0

    stack.run("destroy", **changed)
    assert "NotFound" in server("get", "namespace", NAMESPACE, check=False)


def test_what_a_killed_run_made_and_could_not_write_down_is_taken_over(stack: Stack, server: ApiServer) -> None:
    """The state is lost, the objects are there: without upsertExistingObjects each would be refused."""
    stack.run("up")
    uid = server("get", *PODS, "-o", "jsonpath={.metadata.uid}")
    [state] = (stack.folder / "state").glob(".pulumi/stacks/*/*.json")
    state.unlink()
    assert stack.run("up") == {"create": OBJECTS + 3}
    assert server("get", *PODS, "-o", "jsonpath={.metadata.uid}") == uid
    stack.run("destroy")
