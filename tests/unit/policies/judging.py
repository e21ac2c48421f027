"""Judges a resource as the engine would: remediation first, with secrets marked, then the validation without marks."""

from __future__ import annotations

from typing import Any

from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs, ResourceValidationPolicy, Secret
from pulumi_policy.proxy import unknown_checking_proxy
from pulumi_policy.secret import secrets_preserving_proxy

LABELS = {
    "clawstack.dev/tenant": "anna-x2",
    "clawstack.dev/plan": "starter",
    "clawstack.dev/substrate": "process",
    "app.kubernetes.io/managed-by": "clawstack",
}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def gateway(**changes: Any) -> dict[str, Any]:
    """A gateway that breaks no rule; each test breaks it in one place."""
    props = {
        "slug": "anna-x2",
        "bindHost": "127.0.0.1",
        "port": 21000,
        "reaches": ["127.0.0.1:8080"],
        "config": '{"gateway": {"bind": "loopback", "auth": {"token": "${OPENCLAW_GATEWAY_TOKEN}"}}}',
        "environment": {"OPENCLAW_NO_RESPAWN": "1"},
        "secretEnvironment": Secret({"CLAWSTACK_PROXY_TOKEN": "planted-proxy-token"}),
        "limits": {"memoryMb": 1536, "cpu": 1, "diskMb": 2048, "maxProcesses": 256, "maxOpenFiles": 4096},
        "labels": LABELS,
    }
    return {**props, **changes}


def judge(
    policy: ResourceValidationPolicy,
    props: dict[str, Any],
    *,
    type_: str = "clawstack:process:Gateway",
    name: str = "anna-x2-gateway",
    config: dict[str, Any] | None = None,
) -> list[str]:
    """What the rule reports about this resource."""
    found: list[str] = []
    if policy.has_remediation():
        assert policy.remediate(_args(type_, name, secrets_preserving_proxy(props), config)) is None
    policy.validate(
        _args(type_, name, unknown_checking_proxy(_plain(props)), config), lambda text, _=None: found.append(text)
    )
    return found


def _args(type_: str, name: str, props: Any, config: dict[str, Any] | None) -> ResourceValidationArgs:
    options = PolicyResourceOptions(False, [], False, None, [], None, [])
    urn = f"urn:pulumi:anna-x2::clawstack-cells::{type_}::{name}"
    return ResourceValidationArgs(type_, props, urn, name, options, None, config or {})


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value
