"""Data is not deleted by mistake, and not laid open by the way it is mounted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.objects import of_cell, stack_of
from clawstack_policies.rule import rule

#: What cannot be had again: data always, addresses and names where customers rely on them.
_ALWAYS: Final = frozenset({objects.VOLUME})
_IN_PRODUCTION: Final = frozenset(
    {objects.NETWORK, objects.LOAD_BALANCER, objects.PRIMARY_IP, objects.FLOATING_IP, objects.ZONE}
)
_STACKS: Final = ("prod", "production")
_PROTECTION_OPTIONS: Final = {
    "productionStacks": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "description": "Stacks whose networks, load balancers, addresses and zones are protected as well.",
        "default": list(_STACKS),
    }
}


def _deletable(args: ResourceValidationArgs) -> Iterator[str]:
    stacks = args.get_config().get("productionStacks") or _STACKS
    in_production = stack_of(args.urn) in list(stacks)
    if args.resource_type not in _ALWAYS and not (in_production and args.resource_type in _IN_PRODUCTION):
        return
    if args.props.get("deleteProtection") is not True:
        yield f"{args.name} can be deleted by any request to Hetzner."


def data_protected() -> ResourceValidationPolicy:
    """Deletion takes two steps."""
    return rule(
        name="data-require-protection",
        sentence="Volumes, and in production networks, load balancers, addresses and zones, are protected from deletion.",
        remedy="Set deleteProtection to true; lift it on purpose, after a verified backup, before a deletion.",
        severity=Severity.HIGH,
        check=_deletable,
        options=_PROTECTION_OPTIONS,
    )


def _laid_open(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type not in {objects.VOLUME, objects.VOLUME_ATTACHMENT}:
        return
    if args.props.get("automount"):
        yield f"{args.name} is mounted by Hetzner's script, readable for every account of the server."
    if args.resource_type == objects.VOLUME and args.props.get("format") and of_cell(args.urn, args.props):
        yield f"{args.name} is formatted {args.props['format']} in the clear."


def volumes_closed() -> ResourceValidationPolicy:
    """A customer's memory is encrypted before the first byte is written."""
    return rule(
        name="volume-forbid-open-mount",
        sentence="Volumes are mounted by the machine's own configuration, and a cell's is encrypted by the machine.",
        remedy="Leave automount and format away; cloud-init opens the encrypted volume and mounts it for one account.",
        severity=Severity.HIGH,
        check=_laid_open,
    )
