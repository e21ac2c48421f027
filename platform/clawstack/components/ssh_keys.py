"""Public SSH keys of those who may log in to servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.labels import platform_labels


@dataclass(frozen=True, kw_only=True)
class SshKeysArgs:
    """Public keys by name."""

    keys: Mapping[str, str]


class SshKeys(pulumi.ComponentResource):
    """The keys, registered at Hetzner. They are laid down on a server once, when it is made."""

    key_ids: list[pulumi.Output[str]]

    def __init__(self, name: str, args: SshKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:SshKeys", name, None, opts)
        keys = [
            hcloud.SshKey(
                f"{name}-{key}",
                name=f"{name}-{key}",
                public_key=public,
                labels=platform_labels(cluster=name, role="ssh"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for key, public in sorted(args.keys.items())
        ]
        self.key_ids = [key.id for key in keys]
        self.register_outputs({"keyIds": self.key_ids})
