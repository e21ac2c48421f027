"""The offline hcloud plugin knows exactly the properties that the pinned SDK knows."""

from __future__ import annotations

import inspect
import re
from importlib import metadata
from typing import Any

import pulumi_hcloud
import pytest

from tests.unit.hcloud_plugin.engine_calls import LEAST, TYPES
from toolchain.plugins.hcloud_provider.model.naming import camel
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, Many
from toolchain.plugins.hcloud_provider.registry import RESOURCES

NESTED = {
    "FirewallRuleArgs": ("Firewall", "rules"),
    "FirewallApplyToArgs": ("Firewall", "applyTos"),
    "ServerNetworkArgs": ("Server", "networks"),
    "ServerPublicNetArgs": ("Server", "publicNets"),
    "LoadBalancerAlgorithmArgs": ("LoadBalancer", "algorithm"),
    "LoadBalancerTargetArgs": ("LoadBalancer", "targets"),
    "LoadBalancerServiceHttpArgs": ("LoadBalancerService", "http"),
    "LoadBalancerServiceHealthCheckArgs": ("LoadBalancerService", "healthCheck"),
    "ZonePrimaryNameserverArgs": ("Zone", "primaryNameservers"),
    "ZoneRrsetRecordArgs": ("ZoneRrset", "records"),
}


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    taken = inspect.signature(function).parameters
    return {camel(name): value for name, value in taken.items() if name not in {"__self__", "self"}}


def inputs_of(kind: str) -> dict[str, inspect.Parameter]:
    found = getattr(pulumi_hcloud, f"{kind}InitArgs", None) or getattr(pulumi_hcloud, f"{kind}Args")
    return parameters(found.__init__)


def outputs_of(kind: str) -> set[str]:
    found = getattr(pulumi_hcloud, kind)
    names = {name for name, value in vars(found).items() if isinstance(value, property)}
    return {camel(name) for name in names}


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_kind_has_the_inputs_and_outputs_of_the_sdk(kind: str) -> None:
    resource = RESOURCES[TYPES[kind]]
    wanted = inputs_of(kind)
    assert set(resource.fields) == set(wanted)
    assert {*resource.fields, *resource.computed} == outputs_of(kind)
    required = {name for name, parameter in wanted.items() if parameter.default is inspect.Parameter.empty}
    # The SDK makes a name of the logical one where none is given; record names are never made up by the plugin.
    assert {name for name, field in resource.fields.items() if field.required} - {"name"} == required - {"name"}


@pytest.mark.parametrize(("args", "place"), NESTED.items())
def test_an_object_inside_a_resource_has_the_fields_of_the_sdk(args: str, place: tuple[str, str]) -> None:
    field: Field = RESOURCES[TYPES[place[0]]].fields[place[1]]
    shape = field.shape.of if isinstance(field.shape, Many) else field.shape
    assert isinstance(shape, Group)
    assert set(shape.fields) == set(parameters(getattr(pulumi_hcloud, args).__init__))


def test_the_tokens_are_those_of_the_sdk() -> None:
    for kind, token in TYPES.items():
        source = inspect.getsource(getattr(pulumi_hcloud, kind))
        assert token in re.findall(r"'(hcloud:index/[^']+)'", source)
    assert set(LEAST) == set(TYPES)


def test_the_plugin_has_the_version_of_the_sdk() -> None:
    version = pulumi_hcloud._utilities.get_version()  # type: ignore[no-untyped-call]
    assert metadata.version("pulumi-hcloud") == version
