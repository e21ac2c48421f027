"""Block volumes that outlive their servers: the volume and its attachment are two resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.config import DataVolume
from clawstack.cluster.labels import cluster_labels
from clawstack.components.hetzner import number
from clawstack.errors import PermanentError


@dataclass(frozen=True, kw_only=True)
class DataVolumesArgs:
    """What the volumes depend on."""

    volumes: Mapping[str, DataVolume]
    servers: Mapping[str, hcloud.Server]
    """By node name."""
    locations: Mapping[str, str]
    """Location by node name: a volume lies where its server lies."""
    protection: bool


class DataVolumes(pulumi.ComponentResource):
    """All volumes that the operator named. Raises PermanentError for a node that is not there."""

    def __init__(self, name: str, args: DataVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:DataVolumes", name, None, opts)
        self._name, self._args = name, args
        for key, volume in sorted(args.volumes.items()):
            if volume.node not in args.servers:
                raise PermanentError(
                    f"Volume {key} names node {volume.node!r}; there are {', '.join(sorted(args.servers))}.",
                    code="unknown_node",
                )
            self._attach(key, volume, self._volume(key, volume))
        self.register_outputs({})

    def _volume(self, key: str, volume: DataVolume) -> hcloud.Volume:
        return hcloud.Volume(
            f"{self._name}-{key}",
            name=f"{self._name}-{key}",
            size=volume.size_gb,
            format=volume.format,
            location=self._args.locations[volume.node],
            labels=cluster_labels(self._name, role="volume"),
            delete_protection=self._args.protection,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protection),
        )

    def _attach(self, key: str, volume: DataVolume, made: hcloud.Volume) -> None:
        hcloud.VolumeAttachment(
            f"{self._name}-{key}-attachment",
            volume_id=number(made),
            server_id=number(self._args.servers[volume.node]),
            automount=True,
            # A volume is attached once: the old attachment goes before the new one comes.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
