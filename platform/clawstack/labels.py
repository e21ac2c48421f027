"""Labels on every resource: one module derives them, policies require them, sweeps look for them."""

from __future__ import annotations

from typing import Final

TENANT: Final = "clawstack.dev/tenant"
PLAN: Final = "clawstack.dev/plan"
SUBSTRATE: Final = "clawstack.dev/substrate"
BUNDLE: Final = "clawstack.dev/bundle"
CLUSTER: Final = "clawstack.dev/cluster"
POOL: Final = "clawstack.dev/pool"
ROLE: Final = "clawstack.dev/role"
"""`control-plane` or `worker`, on every node of a cluster."""
FOR: Final = "clawstack.dev/for"
"""Whose something of the cluster is: pools of nodes and classes of volumes carry `cells`."""
FOR_CELLS: Final = "cells"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"

#: Value of SUBSTRATE on cells in namespaces of a cluster: what the cluster's add-ons run beside and select by.
IN_NAMESPACES: Final = "namespace"

#: What the policy pack requires on every resource of a cell.
REQUIRED: Final = (TENANT, PLAN, SUBSTRATE, MANAGED_BY)


def cell_labels(*, slug: str, plan: str, substrate: str, bundle: str) -> dict[str, str]:
    """Labels of every resource that belongs to the cell of tenant `slug`."""
    return {TENANT: slug, PLAN: plan, SUBSTRATE: substrate, BUNDLE: bundle, MANAGED_BY: "clawstack"}


def platform_labels(*, cluster: str, role: str | None = None, pool: str | None = None) -> dict[str, str]:
    """Labels of a resource that belongs to a cluster of the platform and to no tenant."""
    more = {ROLE: role, POOL: pool}
    return {CLUSTER: cluster, **{key: value for key, value in more.items() if value}, MANAGED_BY: "clawstack"}
