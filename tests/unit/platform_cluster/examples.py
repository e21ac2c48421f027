"""Configurations to start from, and the mocked Hetzner that programs run against."""

from __future__ import annotations

import base64
import datetime as dt
import zlib
from typing import Any

import pulumi
import pulumi_hcloud as hcloud
from pulumi.runtime.mocks import MockResourceArgs, Mocks

from clawstack.cluster.reading import parse_cluster
from clawstack.components.cluster import HetznerCluster, HetznerClusterArgs
from tests.mock_engine import run_program

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEsdXP7RsnHoXfo1KfNPzWj/2io+fCd5TBFGYuCGkfAU operator@example"
SECRET = "4dabf18193072939515e22adb298388d"  # Pulumi's signature key in front of it marks a secret value


def raw_cluster(**changes: Any) -> dict[str, Any]:
    """The smallest configuration, with changes on top."""
    return {
        "name": "claw",
        "protection": False,
        "sshKeys": {"operator": KEY},
        "sshSources": ["203.0.113.0/24"],
        "apiSources": ["203.0.113.0/24"],
        **changes,
    }


def large_cluster(**changes: Any) -> dict[str, Any]:
    """Everything that can be switched on."""
    return raw_cluster(
        **{
            "protection": True,
            "webSources": ["0.0.0.0/0"],
            "controlPlane": {"count": 3, "locations": ["fsn1", "nbg1", "hel1"]},
            "apiLoadBalancer": {},
            "nat": {},
            "pools": {
                "cells": {"count": 12, "type": "cpx32", "location": "fsn1", "public": False},
                "data": {"count": 1, "type": "cax21", "location": "nbg1", "labels": {"clawstack.dev/for": "data"}},
            },
            "volumes": {"postgres": {"sizeGb": 50, "node": "data-1"}},
            "dns": {
                "zone": "claw.example",
                "createZone": True,
                "apiName": "k8s",
                "records": {"mail": {"name": "@", "type": "MX", "values": ["10 mail.claw.example."]}},
            },
            **changes,
        }
    )


def mock_id(name: str) -> int:
    """The id that the mocked Hetzner gives: a number that follows from the name, whatever the order of calls."""
    return zlib.crc32(name.encode())


class Hetzner(Mocks):
    """Answers for every type that the cluster uses; anything else fails the test."""

    def __init__(self) -> None:
        self.made: list[MockResourceArgs] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made.append(args)
        return str(mock_id(args.name)), {**args.inputs, **self._outputs(args)}

    def call(self, args: Any) -> dict[str, Any]:
        raise AssertionError(f"unexpected look-up {args.token}")

    def _outputs(self, args: MockResourceArgs) -> dict[str, Any]:
        kind = args.typ.rsplit(":", 1)[-1]
        place = mock_id(args.name) % 250
        if kind == "RandomBytes":
            return {"base64": base64.b64encode(args.name.encode().ljust(32, b"-")[:32]).decode()}
        if kind == "RandomPassword":
            return {"result": args.name.replace("-", "").ljust(64, "x")}
        if kind == "Server":
            return {"ipv4Address": f"198.51.100.{place}", "ipv6Address": f"2001:db8:{place}::1"}
        known = args.typ.startswith(("hcloud:index/", "clawstack:cluster:", "pulumi:providers:hcloud"))
        assert known, f"the mock knows no {args.typ}"
        return {}

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        """Inputs by name of every resource of a type, for example `Server`."""
        found = [each for each in self.made if each.typ.rsplit(":", 1)[-1] == kind]
        assert len({each.name for each in found}) == len(found), f"a {kind} is declared twice"
        return {each.name: dict(each.inputs) for each in found}


def declare(raw: dict[str, Any], hetzner: Hetzner | None = None) -> tuple[Hetzner, list[str], dict[str, Any]]:
    """Run a program with this cluster: the mock, the URNs, what the cluster put out."""
    hetzner = hetzner or Hetzner()
    seen: dict[str, Any] = {}

    async def program() -> None:
        provider = hcloud.Provider("hetzner", token="planted-token")
        cluster = HetznerCluster(
            HetznerClusterArgs(config=parse_cluster(raw), today=dt.date(2026, 11, 21)),
            pulumi.ResourceOptions(providers=[provider]),
        )
        seen["kubeconfig"] = await cluster.kubeconfig.future()
        seen["kubeconfig_is_secret"] = await cluster.kubeconfig.is_secret()
        seen["addresses"] = await cluster.addresses.future()

    urns = run_program(program, hetzner, project="clawstack", stack="test")
    return hetzner, urns, seen
