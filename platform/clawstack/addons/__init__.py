"""What is installed into a cluster: typed, switchable, pinned.

    base ────── settings (which add-ons, and how), pins (in which versions), the shapes that builders fill
    charts ──── hetzner, certificates, ingress, monitoring ...: one builder each
    workloads ─ clawstack's own services
    plan ────── all of them in order
    component ─ the data becomes Pulumi resources

Here belongs what Kubernetes runs for everybody. Not here: machines (`clawstack.k3s`, `clawstack.components`), cells
(`tenants`). Only `component` imports Pulumi's Kubernetes SDK.
"""

from __future__ import annotations

from clawstack.addons.base.settings import AddonsSettings
from clawstack.addons.plan import build_addons
from clawstack.addons.workloads.cells import cell_peers

__all__ = ["AddonsSettings", "build_addons", "cell_peers"]
