"""Records in Hetzner's DNS, in a zone that exists or that is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.config import DnsRecord
from clawstack.labels import platform_labels

_API_TTL_SECONDS = 60  # a replaced control plane has a new public address
_ZONE_TTL_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class DnsRecordsArgs:
    """What the records depend on."""

    zone: str
    create_zone: bool
    protection: bool
    records: Mapping[str, DnsRecord] = field(default_factory=dict)
    api_name: str | None = None
    api_addresses: Sequence[pulumi.Input[str]] = ()
    """Public IPv4 addresses of the control planes."""


class DnsRecords(pulumi.ComponentResource):
    """Zone where asked for, and record sets."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:DnsRecords", name, None, opts)
        self._name, self._args = name, args
        self._zone = self._make_zone() if args.create_zone else None
        for key, record in sorted(args.records.items()):
            values: list[pulumi.Input[str]] = list(record.values)
            self._set(key, name=record.name, type_=record.type, values=values, ttl=record.ttl)
        if args.api_name is not None:
            self._set("api", name=args.api_name, type_="A", values=args.api_addresses, ttl=_API_TTL_SECONDS)
        self.register_outputs({"zone": args.zone})

    def _make_zone(self) -> hcloud.Zone:
        return hcloud.Zone(
            f"{self._name}-zone",
            name=self._args.zone,
            mode="primary",
            ttl=_ZONE_TTL_SECONDS,
            labels=platform_labels(cluster=self._name, role="zone"),
            delete_protection=self._args.protection,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protection),
        )

    def _set(self, key: str, *, name: str, type_: str, values: Sequence[pulumi.Input[str]], ttl: int) -> None:
        hcloud.ZoneRrset(
            f"{self._name}-record-{key}",
            zone=self._args.zone if self._zone is None else self._zone.name,
            name=name,
            type=type_,
            ttl=ttl,
            records=[hcloud.ZoneRrsetRecordArgs(value=value) for value in values],
            labels=platform_labels(cluster=self._name, role="record"),
            opts=pulumi.ResourceOptions(parent=self),
        )
