"""Block volumes that outlive their servers: made before them, attached after them, as resources of their own.

The node mounts a volume by its id from its first boot on (see `clawstack.cluster.user_data`); Hetzner's automount would
lay it open to every account of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.config import DataVolume
from clawstack.components.hetzner import number
from clawstack.errors import PermanentError
from clawstack.labels import platform_labels

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DataVolumesArgs:
    """What the volumes depend on."""

    volumes: Mapping[str, DataVolume]
    locations: Mapping[str, str]
    """Location by node name: a volume lies where its server lies."""
    protection: bool
    """Pulumi's own. Hetzner's is always on: `clawstack.cluster.sweep --lift` takes it away, on purpose, before a destroy."""


class DataVolumes(pulumi.ComponentResource):
    """All volumes that the operator named. Raises PermanentError for a node that is not there."""

    def __init__(self, name: str, args: DataVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:DataVolumes", name, None, opts)
        self._name, self._args = name, args
        self.volumes = {key: self._volume(key, volume) for key, volume in sorted(args.volumes.items())}
        self.register_outputs({"volumes": sorted(self.volumes)})

    def ids_on(self, node: str) -> dict[str, pulumi.Output[str]]:
        """Id by key of the volumes that belong to a node."""
        return {key: self.volumes[key].id for key, volume in self._args.volumes.items() if volume.node == node}

    def _volume(self, key: str, volume: DataVolume) -> hcloud.Volume:
        return hcloud.Volume(
            f"{self._name}-{key}",
            name=f"{self._name}-{key}",
            size=volume.size_gb,
            format=volume.format,
            location=_of_node(self._args.locations, key, volume),
            labels=platform_labels(cluster=self._name, role="volume"),
            delete_protection=True,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protection),
        )


@dataclass(frozen=True, kw_only=True)
class VolumeAttachmentsArgs:
    """What the attachments depend on."""

    volumes: Mapping[str, DataVolume]
    made: Mapping[str, hcloud.Volume]
    servers: Mapping[str, hcloud.Server]
    """By node name."""


class VolumeAttachments(pulumi.ComponentResource):
    """Each volume at its server. Raises PermanentError for a node that is not there."""

    def __init__(self, name: str, args: VolumeAttachmentsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:VolumeAttachments", name, None, opts)
        for key, volume in sorted(args.volumes.items()):
            hcloud.VolumeAttachment(
                f"{name}-{key}",
                volume_id=number(args.made[key]),
                server_id=number(_of_node(args.servers, key, volume)),
                # A volume is attached once: the old attachment goes before the new one comes.
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
        self.register_outputs({})


def _of_node(by_node: Mapping[str, T], key: str, volume: DataVolume) -> T:
    if volume.node not in by_node:
        raise PermanentError(
            f"Volume {key} names node {volume.node!r}; there are {', '.join(sorted(by_node))}.", code="unknown_node"
        )
    return by_node[volume.node]
