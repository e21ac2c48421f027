"""A real API server takes what control planes are given, and does what it is meant for."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.control_plane.api_server import ApiServer

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "loose", "namespace": "unlabelled"},
    "spec": {"containers": [{"name": "loose", "image": "example.org/loose:1"}]},
}


@pytest.fixture(scope="module", autouse=True)
def unlabelled(api: ApiServer) -> None:
    """A namespace without a word about pods; nobody here makes the account that its pods run under."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "unlabelled"}})
    for namespace in ("unlabelled", "kube-system"):
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }
        api.apply(account)


def test_it_answers_nobody_who_does_not_say_who_they_are(api: ApiServer) -> None:
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(api.address, context=stranger, timeout=10)
    connection.request("GET", "/version")
    with closing(connection):
        assert connection.getresponse().status == 401


def test_namespaces_without_a_word_of_their_own_are_restricted_and_kube_system_is_not(api: ApiServer) -> None:
    refused = api("create", "-f", "-", "--dry-run=server", text=json.dumps(POD), check=False)
    assert 'violates PodSecurity "restricted:latest"' in refused
    system = {**POD, "metadata": {"name": "loose", "namespace": "kube-system"}}
    assert "created" in api("create", "-f", "-", "--dry-run=server", text=json.dumps(system))


def records(api: ApiServer, words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.audit_log.read_text().splitlines() if words in line]


def test_who_touched_a_secret_is_recorded_and_what_is_in_it_is_not(api: ApiServer) -> None:
    planted = "planted-value-of-a-secret"
    api("create", "secret", "generic", "audited", "-n", "unlabelled", f"--from-literal=key={planted}")
    api("get", "secret", "audited", "-n", "unlabelled", "-o", "name")
    found = [entry for entry in records(api, "audited") if entry["objectRef"]["resource"] == "secrets"]
    assert {entry["verb"] for entry in found} >= {"create", "get"}
    assert {entry["level"] for entry in found} == {"Metadata"}
    assert all(entry["user"]["username"] for entry in found)
    text = api.audit_log.read_text()
    assert planted not in text
    assert "cGxhbnRlZC12YWx1ZS" not in text, "nor encoded"


def test_changes_of_rights_are_recorded_in_full_and_health_is_not(api: ApiServer) -> None:
    api("create", "role", "audited", "-n", "unlabelled", "--verb=get", "--resource=pods")
    [created] = [
        entry for entry in records(api, "audited") if entry["verb"] == "create" and "roles" in entry["requestURI"]
    ]
    assert created["level"] == "RequestResponse"
    assert created["requestObject"]["rules"][0]["resources"] == ["pods"]
    api("get", "--raw", "/readyz")
    assert not [entry for entry in records(api, "/readyz") if entry["requestURI"].startswith("/readyz")]
