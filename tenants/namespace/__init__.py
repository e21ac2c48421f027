"""The `namespace` substrate: a cell as one hardened Kubernetes namespace with one gateway pod.

    settings ── what the cluster is (image, storage, where the platform lives): the operator's
    spec ────── what the cell is: billing's and the customer's
    plan ────── both become every manifest of the cell, by pure functions, as one value
    component ─ the manifests become Pulumi resources
    keeper_pod  a short-lived pod that opens the volume of a cell whose gateway is stopped

Here belong the manifests and what they mean. Not here: OpenClaw's keys (`tenants.openclaw`), waiting for a pod and
saying why it is not ready (`services.cells.substrates.namespace`), the cluster itself (`clawstack.components`). Nothing but
`component` may import `pulumi_kubernetes`: it costs 0.3 CPU-seconds.
"""

from typing import Final

from clawstack.labels import IN_NAMESPACES

NAME: Final = IN_NAMESPACES
"""Of the substrate: stored with tenants and in labels."""
