"""Labels on everything: a resource without them cannot be found by the sweep for orphans, and would be billed forever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack.labels import MANAGED_BY, REQUIRED
from clawstack_policies.rule import rule

_OWN_TYPES: Final = "clawstack:process:"
#: Hetzner types that carry labels; attachments, routes and records do not.
_HCLOUD_LABELLED: Final = frozenset(
    f"hcloud:index/{kind}:{kind[0].upper()}{kind[1:]}"
    for kind in (
        "server", "volume", "network", "firewall", "placementGroup", "loadBalancer", "sshKey", "primaryIp",
        "floatingIp", "snapshot", "certificate", "managedCertificate", "uploadedCertificate", "zone", "zoneRrset",
        "storageBox", "storageBoxSnapshot", "storageBoxSubaccount",
    )
)  # fmt: skip


def labels_of(type_: str, props: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The labels of a resource that must have some; None for types that cannot carry any."""
    if type_.startswith(_OWN_TYPES) or type_ in _HCLOUD_LABELLED:
        return dict(props.get("labels") or {})
    if type_.startswith("kubernetes:") and not type_.endswith("List"):
        return dict((props.get("metadata") or {}).get("labels") or {})
    return None


def _check(args: ResourceValidationArgs) -> Iterator[str]:
    labels = labels_of(args.resource_type, args.props)
    if labels is None:
        return
    # The platform's own resources belong to no tenant; they say only who manages them.
    required = REQUIRED if args.resource_type.startswith(_OWN_TYPES) or _of_tenant(labels) else (MANAGED_BY,)
    missing = [label for label in required if not labels.get(label)]
    if missing:
        yield f"{args.name} lacks the labels {', '.join(missing)}."


def _of_tenant(labels: Mapping[str, Any]) -> bool:
    return any(label in labels for label in REQUIRED if label != MANAGED_BY)


def labels_required() -> ResourceValidationPolicy:
    """The rule."""
    return rule(
        name="resource-require-labels",
        sentence="Every resource that can carry labels carries those that tell whose it is.",
        remedy="Give it clawstack.labels.cell_labels(...) (or the platform's labels).",
        severity=Severity.HIGH,
        check=_check,
    )
