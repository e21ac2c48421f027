"""Hetzner resources that break no rule; each test breaks one in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Secret,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import unknown_checking_proxy
from pulumi_policy.secret import secrets_preserving_proxy

from clawstack.labels import cell_labels, platform_labels
from clawstack.naming import CELL_PROJECT
from clawstack_policies.hetzner import objects
from tests.unit.policies.judging import _plain

Properties = dict[str, Any]
PLATFORM = "clawstack"
NODE = platform_labels(cluster="main", role="control-plane", pool="control-planes")
WORKER = platform_labels(cluster="main", role="worker", pool="small")
CELL = cell_labels(slug="anna-x2", plan="business", substrate="server", bundle="general-1")
REASON = "migration until 2026-12-01"


@dataclass
class Declared:
    """One resource of a stack; `links` are its properties that were made from others."""

    name: str
    type_: str
    props: Properties
    links: Mapping[str, str] = field(default_factory=dict)
    """Property to the name of the resource that it comes from."""


def server(**changes: Any) -> Properties:
    """A control plane as the platform declares it."""
    return {
        "name": "main-cp-1", "serverType": "cx33", "location": "fsn1", "image": "debian-13", "backups": True,
        "firewallIds": [7], "networks": [{"networkId": 3, "ip": "10.0.0.10"}], "labels": NODE, "sshKeys": ["ops"],
        "publicNets": [{"ipv4Enabled": True, "ipv6Enabled": True}], "userData": Secret("#cloud-config\n"), **changes,
    }  # fmt: skip


def volume(**changes: Any) -> Properties:
    """The state of a cell."""
    return {"name": "cell-anna-x2", "size": 10, "location": "fsn1", "deleteProtection": True, "labels": CELL, **changes}


def opened(port: str, *sources: str, direction: str = "in", protocol: str = "tcp") -> Properties:
    """A firewall with one rule."""
    entry = {"direction": direction, "protocol": protocol, "port": port, "sourceIps": list(sources)}
    return {"name": "main", "labels": platform_labels(cluster="main"), "rules": [entry]}


def judged(
    policy: ResourceValidationPolicy,
    type_: str,
    props: Properties,
    *,
    name: str = "thing",
    stack: str = "dev",
    project: str = PLATFORM,
    config: Properties | None = None,
) -> list[str]:
    """What the rule reports about one resource: remediation first, as the engine does."""
    urn = f"urn:pulumi:{stack}::{project}::{type_}::{name}"
    found: list[str] = []

    def args(seen: Any) -> ResourceValidationArgs:
        options = PolicyResourceOptions(False, [], False, None, [], None, [])
        return ResourceValidationArgs(type_, seen, urn, name, options, None, config or {})

    if policy.has_remediation():
        assert policy.remediate(args(secrets_preserving_proxy(props))) is None
    policy.validate(args(unknown_checking_proxy(_plain(props))), lambda text, _=None: found.append(text))
    return found


def stack_judged(
    policy: StackValidationPolicy,
    *declared: Declared,
    config: Properties | None = None,
    project: str = PLATFORM,
) -> list[tuple[str, str]]:
    """Sentences and URNs that the rule reports about a stack."""
    made: dict[str, PolicyResource] = {}
    for each in declared:
        options = PolicyResourceOptions(False, [], False, [], PolicyCustomTimeouts(0, 0, 0), [], None)
        urn = f"urn:pulumi:dev::{project}::{each.type_}::{each.name}"
        sources = {name: [made[target]] for name, target in each.links.items()}
        proxied = unknown_checking_proxy(_plain(each.props))
        made[each.name] = PolicyResource(each.type_, proxied, urn, each.name, options, None, None, [], sources)
    found: list[tuple[str, str]] = []
    policy.validate(
        StackValidationArgs(list(made.values()), config or {}), lambda text, urn=None: found.append((text, urn or ""))
    )
    return found


def node(name: str = "cp", links: Mapping[str, str] | None = None, **changes: Any) -> Declared:
    """A server of a stack."""
    return Declared(name=name, type_=objects.SERVER, props=server(**changes), links=links or {})


__all__ = ["CELL", "CELL_PROJECT", "NODE", "PLATFORM", "REASON", "WORKER", "Declared"]
__all__ += ["judged", "node", "opened", "server", "stack_judged", "volume"]
