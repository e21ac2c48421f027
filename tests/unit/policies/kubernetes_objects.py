"""Objects of a cell that break no rule, as the product renders them; each test breaks one in one place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationPolicy,
    Secret,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import unknown_checking_proxy

from clawstack.naming import CELL_PROJECT
from tests.unit.namespace.builders import document, plan_of
from tests.unit.policies.judging import judge

Object = dict[str, Any]
GROUPS = {
    "v1": "core/v1",
    "apps/v1": "apps/v1",
    "networking.k8s.io/v1": "networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1": "gateway.networking.k8s.io/v1",
}
ROUTE = {
    "gateway": "public",
    "gateway_namespace": "ingress",
    "domain": "cells.example.org",
    "proxy": {"namespace": "ingress", "pods": {"app": "envoy"}},
}
NAMESPACE = "cell-emma-parent-x7k2mq"


def everything() -> list[Object]:
    """All objects of one cell, its route included, with what the component marks as secret."""
    return [
        {key: Secret(value) if key in manifest.secret else value for key, value in manifest.document().items()}
        for manifest in plan_of(route=ROUTE).manifests
    ]


def shown(kind: str, name: str | None = None, change: Callable[[Object], object] | None = None) -> Object:
    """One object of the cell, changed in one place."""
    found = copy.deepcopy(document(plan_of(route=ROUTE), kind, name))
    if change is not None:
        change(found)
    return found


def pods(change: Callable[[Object], object] | None = None) -> Object:
    """The StatefulSet, its pod specification changed in one place."""
    return shown("StatefulSet", change=lambda found: change(found["spec"]["template"]["spec"]) if change else None)


def type_of(props: Object) -> str:
    group = GROUPS.get(props["apiVersion"], props["apiVersion"])
    return f"kubernetes:{group}:{props['kind']}"


def judged(policy: ResourceValidationPolicy, props: Object, config: dict[str, Any] | None = None) -> list[str]:
    return judge(policy, props, type_=type_of(props), name=props["metadata"].get("name", "unnamed"), config=config)


def stack_judged(
    policy: StackValidationPolicy,
    objects: list[Object],
    config: dict[str, Any] | None = None,
    project: str = CELL_PROJECT,
) -> list[tuple[str, str]]:
    """Sentences and URNs that the rule reports about a stack of these objects."""
    found: list[tuple[str, str]] = []
    resources = [_resource(entry, project) for entry in objects]

    def remember(text: str, urn: str | None = None) -> None:
        found.append((text, urn or ""))

    policy.validate(StackValidationArgs(resources, config or {}), remember)
    return found


def _resource(props: Object, project: str) -> PolicyResource:
    name, type_ = props["metadata"]["name"], type_of(props)
    options = PolicyResourceOptions(False, [], False, [], PolicyCustomTimeouts(0, 0, 0), [], None)
    urn = f"urn:pulumi:stack::{project}::{type_}::{name}"
    return PolicyResource(type_, unknown_checking_proxy(props), urn, name, options, None, None, [], {})
