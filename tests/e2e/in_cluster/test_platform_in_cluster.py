"""clawstack runs itself: its services as pods with the least rights, selling and running cells beside them."""

from __future__ import annotations

import json

import pytest

from clawstack.naming import namespace_name
from tests.e2e.in_cluster.conftest import ROLES
from tests.e2e.in_cluster.installing import NAMESPACE
from toolchain.image import recipe

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def parent(signs_up):
    return signs_up("Nora")


def test_every_service_is_ready_under_the_restricted_rules(installed, hand):
    labels = hand.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for role in ROLES:
        status = hand.get("deployment", f"clawstack-{role}", "-n", NAMESPACE)["status"]
        assert status["readyReplicas"] == 1
    for pod in hand.get("pods", "-n", NAMESPACE)["items"]:
        [container] = pod["status"]["containerStatuses"]
        assert container["restartCount"] == 0, pod["metadata"]["name"]


def test_the_image_runs_as_an_account_of_its_own_on_a_root_that_nobody_can_write(installed, installation, hand):
    """And it is the one that the repository's recipe makes, with its list of packages inside."""
    script = f"id -u; touch {recipe.PLACE}/x /usr/x /etc/x 2>&1; grep -m 1 CycloneDX {recipe.SBOM}"
    uid, *refused, bom = hand("exec", "deploy/clawstack-api", "-n", NAMESPACE, "--", "sh", "-c", script).splitlines()
    assert uid == str(recipe.USER)
    assert [line.rpartition(": ")[2] for line in refused[:3]] == ["Read-only file system"] * 3
    assert "cyclonedx" in bom.lower()
    for pod in hand.get("pods", "-n", NAMESPACE)["items"]:
        [container] = pod["spec"]["containers"]
        assert container["image"] == installation.image


def test_a_second_up_changes_nothing(installed):
    assert "unchanged" in installed.up()
    told = json.loads(installed.pulumi("preview", "--json", "--stack", "dev"))
    assert set(told["changeSummary"]) == {"same"}


def test_a_paid_checkout_becomes_a_cell_beside_the_platform(parent, world, hand):
    parent.await_state("healthy", seconds=300)
    pod = hand.get("pod", "gateway-0", "-n", namespace_name(parent.slug))
    assert pod["spec"]["priorityClassName"] == "clawstack-starter"
    parent.start_chat()
    assert "Nora" in parent.parent.say("hi")
    world.await_(lambda: parent.observer.ledger_tokens(parent.slug), "the ledger", seconds=30)


def test_only_the_worker_can_ask_the_api_server(installed, hand):
    for role in ROLES:
        there = hand("exec", f"deploy/clawstack-{role}", "-n", NAMESPACE, "--", "ls", "/var/run/secrets", check=False)
        assert ("kubernetes.io" in there) == (role == "worker"), there


def test_what_the_worker_looks_at_is_told_from_its_pod(parent, hand):
    told = hand(
        "exec", "deploy/clawstack-worker", "-n", NAMESPACE, "--", "clawstack", "tenants", "show", parent.slug, "--json"
    )
    report = json.loads(told)
    assert report["gateway"] == "running"
    assert report["drift"] is None


def test_a_plan_change_resizes_the_pod_with_the_workers_own_rights(parent, world, hand):
    before = hand.get("pod", "gateway-0", "-n", namespace_name(parent.slug))
    parent.change_plan("pro")
    world.await_(lambda: parent.tenant["plan"] == "pro" and parent.tenant["converged"], "the plan", seconds=120)
    after = hand.get("pod", "gateway-0", "-n", namespace_name(parent.slug))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    limits = [pod["spec"]["containers"][0]["resources"]["limits"] for pod in (before, after)]
    assert limits[0] != limits[1]


@pytest.mark.parametrize("first", ["serviceaccount/gateway", "pod/gateway-0"])
def test_a_worker_pod_that_is_killed_in_the_middle_is_replaced_and_the_cell_gets_ready(signs_up, hand, world, first):
    """State and its lock are elsewhere: the next pod must know the lock of the one before for dead."""
    other = signs_up("Ole")
    world.await_(lambda: hand.get(*first.split("/"), "-n", namespace_name(other.slug)), first)
    worker = ("pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=worker")
    killed = hand.get(*worker)["items"][0]["metadata"]["uid"]
    hand("delete", *worker, "--grace-period=0", "--force")
    other.await_state("healthy", seconds=240)
    assert killed not in {pod["metadata"]["uid"] for pod in hand.get(*worker)["items"]}
    last, *before = [each["status"] for each in json.loads(world.run("operations", "list", other.slug, "--json"))]
    assert last == "succeeded"
    # What still ran of the old pod may have got as far as to be told that its token is not known any more.
    assert before
    assert set(before) <= {"interrupted", "failed"}
    other.cancel()
    other.await_state("deleted", seconds=300)


def test_a_cancelled_subscription_takes_the_cell_and_leaves_the_platform(parent, world, hand):
    parent.cancel()
    parent.await_state("deleted", seconds=300)
    assert hand.get("namespace", namespace_name(parent.slug)) is None
    backups = json.loads(world.run("backup", "list", parent.slug, "--json"))
    assert {backup["reason"] for backup in backups} >= {"destroy"}
    kept = hand(
        "exec", "deploy/clawstack-worker", "-n", NAMESPACE, "--", "ls", f"/var/lib/clawstack/backups/{parent.slug}"
    )
    assert ".tar.gz.enc" in kept
