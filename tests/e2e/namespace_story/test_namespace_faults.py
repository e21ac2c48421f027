"""Killing what a namespace cell stands on, in the middle of things: everything converges, nothing is there twice."""

from __future__ import annotations

import pytest

from clawstack.naming import namespace_name

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def noah(signs_up, ground, hand, test_cluster):
    """A customer whose cell was built although worker and API server were killed meanwhile."""
    customer = signs_up("Noah")
    namespace = namespace_name(customer.slug)
    hand.await_(lambda: hand.get("namespace", namespace), "the namespace", seconds=120)
    ground.world.kill("platform")
    test_cluster.kill("kube-apiserver")
    ground.world.start_platform()
    test_cluster.restart("kube-apiserver")
    customer.await_state("healthy", seconds=300)
    return customer


def pods(hand, customer):
    return (hand.get("pods", "--namespace", namespace_name(customer.slug)) or {"items": []})["items"]


def test_worker_and_api_server_killed_while_it_was_built(noah, hand, watcher):
    assert [pod["metadata"]["name"] for pod in pods(hand, noah)] == ["gateway-0"]
    kinds = [each["kind"] for each in hand.get("statefulset", "-n", namespace_name(noah.slug))["items"]]
    assert kinds == ["StatefulSet"]
    noah.start_chat()
    assert "Noah" in noah.parent.say("hi")


def test_the_pod_killed(noah, hand):
    namespace = namespace_name(noah.slug)
    before = pods(hand, noah)[0]["metadata"]["uid"]
    hand("delete", "pod", "gateway-0", "--namespace", namespace, "--grace-period=0", "--force")
    noah.parent.write("did you hear that?")
    assert "did you hear that?" in noah.parent.await_text("did you hear", seconds=240)
    after = pods(hand, noah)
    assert len(after) == 1
    assert after[0]["metadata"]["uid"] != before
    noah.await_state("healthy", seconds=240)


def test_the_kubelet_killed_while_it_is_suspended_and_resumed(noah, ground, hand, test_cluster):
    test_cluster.kill("kubelet")
    ground.world.run("tenants", "suspend", noah.slug, "--no-wait", "--json")
    ground.world.await_(lambda: noah.tenant["state"] != "healthy", "the suspension to begin", seconds=60)
    test_cluster.restart("kubelet")
    noah.await_state("suspended", seconds=300)
    assert pods(hand, noah) == []
    ground.world.run("tenants", "resume", noah.slug, "--no-wait", "--json")
    noah.await_state("healthy", seconds=300)
    assert "Noah" in noah.parent.say("hi")


def test_worker_and_api_server_killed_while_it_goes(noah, ground, hand, test_cluster):
    ground.world.run("tenants", "destroy", noah.slug, "--yes", "--no-wait", "--json")
    ground.world.await_(lambda: noah.tenant["state"] == "deleting", "the end to begin", seconds=60)
    test_cluster.kill("kube-apiserver")
    ground.world.kill("platform")
    test_cluster.restart("kube-apiserver")
    ground.world.start_platform()
    noah.await_state("deleted", seconds=300)
    assert hand.get("namespace", namespace_name(noah.slug)) is None
    assert [kept["verified_at"] for kept in noah.observer.get(f"/v1/tenants/{noah.slug}/backups")["items"]]
