"""On which nodes something may run, and how that follows from the pools of a cluster.

A pool is kept for a purpose by a label `clawstack.dev/for: PURPOSE`, and by taints that keep everything else away. Whoever
has that purpose chooses the label and tolerates the taints: both, for a taint alone does not keep its own pods in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, Protocol

from pydantic import Field

from clawstack.frozen import FrozenSection
from clawstack.labels import FOR

FOR_DATA: Final = "data"
"""Value of the label of pools for the database."""


class Toleration(FrozenSection):
    """A taint that a pod puts up with, as Kubernetes has it."""

    key: str = Field(min_length=1, max_length=317)
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = Field(default="", max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """None: any."""

    def document(self) -> dict[str, str]:
        """As a pod has it."""
        value = {} if self.operator == "Exists" else {"value": self.value}
        effect = {} if self.effect is None else {"effect": self.effect}
        return {"key": self.key, "operator": self.operator, **value, **effect}


class Place(FrozenSection):
    """Nodes that are chosen, and taints that are put up with; nothing said: any node without taints."""

    node_selector: Mapping[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()

    def pod_fields(self) -> dict[str, Any]:
        """The fields of a pod's specification (CloudNativePG's `affinity` has the same); empty where nothing is said."""
        selector = {"nodeSelector": dict(self.node_selector)} if self.node_selector else {}
        tolerations = [entry.document() for entry in self.tolerations]
        return {**selector, **({"tolerations": tolerations} if tolerations else {})}


class Taint(Protocol):
    """A taint of a node."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def effect(self) -> Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]: ...


class Pool(Protocol):
    """What counts of a pool of nodes."""

    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def taints(self) -> Iterable[Taint]: ...


def place_for(purpose: str, pools: Iterable[Pool]) -> Place:
    """The pools that are kept for `purpose`; a place that says nothing where there are none."""
    kept = [pool for pool in pools if pool.labels.get(FOR) == purpose]
    taints = {(taint.key, taint.value, taint.effect): None for pool in kept for taint in pool.taints}
    return Place(
        node_selector={FOR: purpose} if kept else {},
        tolerations=tuple(Toleration(key=key, value=value, effect=effect) for key, value, effect in taints),
    )
