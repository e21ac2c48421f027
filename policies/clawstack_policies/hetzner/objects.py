"""What the rules see of a Hetzner resource: whose it is, which role it has, and what points at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

from clawstack.labels import ROLE, TENANT
from clawstack.naming import CELL_PROJECT

SERVER: Final = "hcloud:index/server:Server"
SERVER_NETWORK: Final = "hcloud:index/serverNetwork:ServerNetwork"
FIREWALL: Final = "hcloud:index/firewall:Firewall"
FIREWALL_ATTACHMENT: Final = "hcloud:index/firewallAttachment:FirewallAttachment"
VOLUME: Final = "hcloud:index/volume:Volume"
VOLUME_ATTACHMENT: Final = "hcloud:index/volumeAttachment:VolumeAttachment"
NETWORK: Final = "hcloud:index/network:Network"
LOAD_BALANCER: Final = "hcloud:index/loadBalancer:LoadBalancer"
LOAD_BALANCER_NETWORK: Final = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
LOAD_BALANCER_SERVICE: Final = "hcloud:index/loadBalancerService:LoadBalancerService"
PRIMARY_IP: Final = "hcloud:index/primaryIp:PrimaryIp"
FLOATING_IP: Final = "hcloud:index/floatingIp:FloatingIp"
ZONE: Final = "hcloud:index/zone:Zone"

CONTROL_PLANE: Final = "control-plane"
NODE_ROLES: Final = (CONTROL_PLANE, "worker")
_URN_PARTS: Final = 3


def labels(props: Mapping[str, Any]) -> Mapping[str, Any]:
    """The resource's labels, empty where there are none."""
    return dict(props.get("labels") or {})


def role(props: Mapping[str, Any]) -> str | None:
    """What a node of a cluster does; None for a server that is no node."""
    found = labels(props).get(ROLE)
    return None if found is None else str(found)


def of_cell(urn: str, props: Mapping[str, Any]) -> bool:
    """Whether a cell's stack declares it, or it says itself that it is a tenant's."""
    return f"::{CELL_PROJECT}::" in urn or TENANT in labels(props)


def stack_of(urn: str) -> str:
    """The stack's name: `urn:pulumi:<stack>::<project>::...`."""
    return urn.split("::", 1)[0].split(":", _URN_PARTS - 1)[-1]


def place_of(props: Mapping[str, Any]) -> str | None:
    """The location that a resource asks for, by name or by one of its datacenters (`fsn1-dc14`)."""
    if props.get("location"):
        return str(props["location"])
    return str(props["datacenter"]).split("-", 1)[0] if props.get("datacenter") else None


def of_type(resources: Iterable[PolicyResource], type_: str) -> Iterator[PolicyResource]:
    """The resources of one type."""
    return (found for found in resources if found.resource_type == type_)


def known(props: Mapping[str, Any], name: str) -> Any:
    """The property, None where it is not known yet.

    In a preview the provider's own outputs are unknown, and so is every property that was left away for it to choose.
    What was made from another resource is unknown too, and is to be found in the dependencies.
    """
    try:
        return props.get(name)
    except UnknownValueError:
        return None


def given(found: PolicyResource, name: str) -> bool:
    """Whether the list property was given and is not empty, its members known or not."""
    return bool(found.property_dependencies.get(name)) or bool(len(known(found.props, name) or ()))


def points_at(source: PolicyResource, name: str, target: PolicyResource) -> bool:
    """Whether the property `name` of `source` was made from `target`: by its dependencies, else by the identifier.

    The first also holds in a preview, where nothing has an identifier yet.
    """
    if any(found.urn == target.urn for found in source.property_dependencies.get(name) or []):
        return True
    own, value = _whole(known(target.props, "id")), known(source.props, name)
    try:
        named = [value] if isinstance(value, str | int | float) else list(value or [])
    except UnknownValueError:
        return False
    return own is not None and own in [_whole(each) for each in named]


def _whole(value: Any) -> str | None:
    # Numbers of a deployment are floating; identifiers are strings of digits.
    return str(int(value)) if isinstance(value, float) else None if value is None else str(value)
