"""What becomes of cells' volumes, as far as it is declared: the class that the platform's stack makes for them."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack.labels import FOR, FOR_CELLS
from clawstack_policies.kubernetes.objects import kind_of, metadata_of
from clawstack_policies.rule import rule


def _keeps(args: ResourceValidationArgs) -> Iterator[str]:
    if kind_of(args.resource_type) not in {"StorageClass", "PersistentVolume"}:
        return
    if dict(metadata_of(args.props).get("labels") or {}).get(FOR) != FOR_CELLS:
        return
    spec = args.props if kind_of(args.resource_type) == "StorageClass" else dict(args.props.get("spec") or {})
    policy = spec.get("reclaimPolicy") or spec.get("persistentVolumeReclaimPolicy")
    if policy not in {None, "Delete"}:  # Delete is what Kubernetes takes for a class that says nothing
        yield f"{args.name} is for cells and has the reclaim policy {policy}."


def cell_volumes_deleted() -> ResourceValidationPolicy:
    """A destroyed cell leaves no disk: its customer's data on it, paid for and forgotten."""
    return rule(
        name="cell-forbid-kept-volumes",
        sentence="Volumes of cells are deleted with them; what is kept of a cell is its sealed backup.",
        remedy="Set the reclaim policy to Delete.",
        severity=Severity.HIGH,
        check=_keeps,
    )
