"""Spread placement groups: servers of one group never share a host. Hetzner takes ten servers in a group.

Which group a node belongs to follows from its own number (see `clawstack.cluster.plan`), because a running server cannot
change its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.components.hetzner import number
from clawstack.errors import PermanentError
from clawstack.labels import platform_labels


@dataclass(frozen=True, kw_only=True)
class PlacementGroupsArgs:
    """Names of the groups, each once."""

    groups: Sequence[str]


class PlacementGroups(pulumi.ComponentResource):
    """All groups of a cluster."""

    def __init__(self, name: str, args: PlacementGroupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:PlacementGroups", name, None, opts)
        self._groups = {
            group: hcloud.PlacementGroup(
                f"{name}-{group}",
                name=f"{name}-{group}",
                type="spread",
                labels=platform_labels(cluster=name, role="placement"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for group in args.groups
        }
        self.register_outputs({"groups": sorted(self._groups)})

    def group_id(self, group: str) -> pulumi.Output[int]:
        """Id of the group; raises PermanentError for one that was not asked for."""
        try:
            return number(self._groups[group])
        except KeyError:
            raise PermanentError(
                f"There is no placement group {group!r}; there are {', '.join(self._groups)}.", code="unknown_group"
            ) from None
