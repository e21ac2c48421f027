"""One parent's story on a real node: checkout, namespace, pod, chat, suspend, resume, plan change, cancellation."""

from __future__ import annotations

import json

import pytest

from clawstack.naming import namespace_name

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def parent(signs_up):
    return signs_up("Emma")


@pytest.fixture(scope="module")
def pod_of(hand):
    def pod(slug):
        return hand.get("pod", "gateway-0", "--namespace", namespace_name(slug))

    return pod


def test_a_checkout_becomes_a_pod_that_answers(parent, ground, hand, pod_of):
    parent.await_state("healthy", seconds=300)
    pod = pod_of(parent.slug)
    assert all(status["ready"] for status in pod["status"]["containerStatuses"])
    labels = hand.get("namespace", namespace_name(parent.slug))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    parent.start_chat()
    assert "Emma" in parent.parent.say("hi")
    ground.world.await_(lambda: parent.observer.ledger_tokens(parent.slug), "the ledger", seconds=30)


def test_no_secret_stands_in_the_pod_or_the_events(parent, ground, hand):
    shown = hand(
        "get", "pod,statefulset,configmap,service,networkpolicy", "-n", namespace_name(parent.slug), "-o", "yaml"
    )
    shown += json.dumps(parent.observer.get(f"/v1/tenants/{parent.slug}/events"))
    shown += ground.world.log_tail("platform", lines=100_000)
    for name, secret in ground.world.planted_secrets().items():
        assert secret not in shown, name
    for name in ("CLAWSTACK_PROXY_TOKEN", "clawpx_", "clawch_"):
        assert f"{name}=" not in shown
    assert "clawpx_" not in shown
    assert "clawch_" not in shown


def test_a_message_to_a_suspended_assistant_is_answered_when_it_is_resumed(parent, ground, hand, pod_of):
    ground.world.run("tenants", "suspend", parent.slug, "--json")
    assert parent.tenant["state"] == "suspended"
    assert pod_of(parent.slug) is None
    assert hand.get("pvc", "state", "-n", namespace_name(parent.slug))["status"]["phase"] == "Bound"
    backups = json.loads(ground.world.run("backup", "list", parent.slug, "--json"))
    assert [backup["reason"] for backup in backups] == ["suspend"]
    assert backups[0]["verified_at"]
    parent.parent.write("are you there, my friend?")
    ground.world.run("tenants", "resume", parent.slug, "--json")
    assert parent.tenant["state"] == "healthy"
    assert "are you there, my friend?" in parent.parent.await_text("are you there", seconds=120)


def test_a_plan_change_restarts_nothing(parent, ground, pod_of):
    before = pod_of(parent.slug)
    limits = before["spec"]["containers"][0]["resources"]["limits"]
    parent.change_plan("pro")
    parent.world.await_(lambda: parent.tenant["plan"] == "pro" and parent.tenant["converged"], "the plan", seconds=120)
    parent.await_state("healthy")
    after = pod_of(parent.slug)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert _container(after)["containerID"] == _container(before)["containerID"]
    assert _container(after)["restartCount"] == 0
    assert after["spec"]["containers"][0]["resources"]["limits"] != limits, "the pod was resized in place"
    assert "Emma" in parent.parent.say("hi again")


def test_operators_see_what_runs_where(parent, ground):
    report = json.loads(ground.world.run("tenants", "show", parent.slug, "--json"))
    assert report["gateway"] == "running"
    assert "clawstack-node" in report["runs_on"]
    assert report["restarts"] == 0
    assert report["drift"] is None
    assert report["last_backup"]
    lines = ground.world.run("tenants", "logs", parent.slug, "--lines", "30").splitlines()
    assert 5 < len(lines) <= 30


def test_what_somebody_changed_by_hand_is_found_and_repaired(parent, ground, hand):
    namespace = namespace_name(parent.slug)
    hand("delete", "networkpolicy", "default-deny", "-n", namespace)
    hand.await_(lambda: hand.get("networkpolicy", "default-deny", "-n", namespace), "the policy again", seconds=120)
    parent.await_state("healthy")
    words = json.dumps(parent.observer.get(f"/v1/tenants/{parent.slug}/events"))
    assert "default-deny" in words, "the events say what was repaired"


def test_the_cancelled_subscription_takes_everything_along(parent, ground, hand):
    parent.cancel()
    parent.await_state("deleted", seconds=300)
    assert hand.get("namespace", namespace_name(parent.slug)) is None
    volumes = (hand.get("persistentvolumes") or {"items": []})["items"]
    assert not [each for each in volumes if each["spec"]["claimRef"]["namespace"] == namespace_name(parent.slug)]
    backups = json.loads(ground.world.run("backup", "list", parent.slug, "--json"))
    assert {backup["reason"] for backup in backups} >= {"destroy"}


def _container(pod):
    return next(status for status in pod["status"]["containerStatuses"] if status["name"] == "gateway")
