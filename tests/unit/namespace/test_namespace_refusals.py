"""What a cluster refuses, in words that people can act on; and kubeconfigs that cannot be used."""

from __future__ import annotations

import asyncio

import pytest
import yaml

from clawstack.errors import ClawstackError, NeedsAttentionError, PermanentError, TemporaryError
from services.cells.substrates.namespace.cluster import Cluster, refusal
from tests.unit.namespace.builders import PLANTED_KUBECONFIG, make_settings

_ACCESS = (
    "{{clusters: [{{name: a, cluster: {{server: '{server}'}}}}], users: [{{name: a, user: {{token: t}}}}], "
    "contexts: [{{name: a, context: {{cluster: a, user: a}}}}], current-context: a}}"
)


@pytest.mark.parametrize(
    ("status", "words", "kind", "code"),
    [
        (401, "Unauthorized", TemporaryError, "cluster_access_denied"),
        (403, 'pods "backup" is forbidden: User "x" cannot create', NeedsAttentionError, "cluster_access_denied"),
        (403, "exceeded quota: quota, requested: pods=1", NeedsAttentionError, "quota_exceeded"),
        (403, "maximum memory usage per Container is 1Gi", NeedsAttentionError, "quota_exceeded"),
        (403, "violates PodSecurity restricted", NeedsAttentionError, "pod_refused"),
        (403, "because it is being terminated", TemporaryError, "cell_changed"),
        (404, "not found", TemporaryError, "cell_changed"),
        (409, "the object has been modified", TemporaryError, "cluster_busy"),
        (429, "too many requests", TemporaryError, "cluster_busy"),
        (503, "etcdserver: leader changed", TemporaryError, "cluster_busy"),
        (422, "field is immutable", PermanentError, "refused_by_kubernetes"),
    ],
)
def test_each_refusal_has_its_own_error(status: int, words: str, kind: type[ClawstackError], code: str) -> None:
    error = refusal(status, words)

    assert type(error) is kind or isinstance(error, kind)
    assert error.code == code
    assert words in error.sentence()


@pytest.mark.parametrize(
    "content",
    [
        PLANTED_KUBECONFIG,
        "planted-kubeconfig: [",
        "- planted-kubeconfig",
        "{clusters: [], contexts: [], users: [], current-context: planted-kubeconfig}",
        _ACCESS.format(server="https://x', certificate-authority-data: 'planted-kubeconfig"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_refused_without_telling_it(content: str) -> None:
    with pytest.raises(NeedsAttentionError) as caught:
        _ = Cluster(make_settings(kubeconfig=content)).client

    assert caught.value.code == "bad_kubeconfig"
    assert "planted" not in caught.value.sentence()


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5h://planted:1")
    content = (
        "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: a, user: {token: t}}], "
        "contexts: [{name: a, context: {cluster: a, user: a}}], current-context: a}"
    )

    assert (
        Cluster(make_settings(kubeconfig=content)).client is not None
    )  # a proxy would need a library that is not here


def test_a_process_without_a_token_says_where_to_ask() -> None:
    """As all of clawstack's own pods but the worker: the kubeconfig names a file that is not there."""
    content = yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
            "users": [{"name": "c", "user": {"tokenFile": "/nonexistent/token"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "current-context": "c",
        }
    )
    cluster = Cluster(make_settings(kubeconfig=content))
    with pytest.raises(NeedsAttentionError, match="no access") as raised:
        asyncio.run(cluster.namespace("cell-emma"))
    assert raised.value.code == "bad_kubeconfig"
    assert "worker" in str(raised.value.remedy)
