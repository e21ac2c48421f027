"""What a cluster's nodes and its administrator prove themselves with, made once and kept in Pulumi's encrypted state."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass

import pulumi
import pulumi_random as random

from clawstack.cluster import pki

_TOKEN_LENGTH = 64
_SEED_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class ClusterCredentialsArgs:
    """What the credentials depend on."""

    today: dt.date
    """Date of issue for what is made by this update; what exists keeps its own."""
    protection: bool
    rotation: int = 1
    """Raise it to sign a new administrator's certificate."""


class ClusterCredentials(pulumi.ComponentResource):
    """Join tokens, the two authorities that the stack must know, and the administrator's certificate."""

    server_token: pulumi.Output[str]
    """Lets control planes join and opens etcd snapshots: keep it apart from them."""
    agent_token: pulumi.Output[str]
    """Lets workers join, no more."""
    authorities: pulumi.Output[dict[str, pki.KeyPair]]
    """By the name that K3s gives their files."""
    administrator: pulumi.Output[pki.KeyPair]

    def __init__(self, name: str, args: ClusterCredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:Credentials", name, None, opts)
        self._name, self._args = name, args
        self.server_token = self._token("server-token")
        self.agent_token = self._token("agent-token")
        server = self._seed("server-ca", rotation=1, protect=args.protection).apply(_server_authority)
        client = self._seed("client-ca", rotation=1, protect=args.protection).apply(_client_authority)
        self.authorities = pulumi.Output.secret(pulumi.Output.all(server, client).apply(_named))
        seed = self._seed("administrator", rotation=args.rotation, protect=False)
        self.administrator = pulumi.Output.secret(pulumi.Output.all(seed, client).apply(_administrator))
        self.register_outputs({})

    def _token(self, purpose: str) -> pulumi.Output[str]:
        token = random.RandomPassword(
            f"{self._name}-{purpose}",
            length=_TOKEN_LENGTH,
            special=False,
            # A lost server token makes every etcd snapshot unreadable.
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protection),
        )
        return pulumi.Output.secret(token.result)

    def _seed(self, purpose: str, *, rotation: int, protect: bool) -> pulumi.Output[tuple[bytes, dt.date]]:
        seed = random.RandomBytes(
            f"{self._name}-{purpose}",
            length=_SEED_BYTES,
            keepers={"rotation": str(rotation), "issued": self._args.today.isoformat()},
            # The date of the first update stays: a certificate must not change from day to day.
            opts=pulumi.ResourceOptions(parent=self, protect=protect, ignore_changes=['keepers["issued"]']),
        )
        return pulumi.Output.secret(pulumi.Output.all(seed.base64, seed.keepers).apply(_seed_and_date))


def _seed_and_date(values: list[object]) -> tuple[bytes, dt.date]:
    seed, keepers = values
    if not isinstance(seed, str) or not isinstance(keepers, dict):  # pragma: no cover - the SDK promises both
        raise TypeError
    return base64.b64decode(seed), dt.date.fromisoformat(keepers["issued"])


def _server_authority(value: tuple[bytes, dt.date]) -> pki.KeyPair:
    return pki.authority(value[0], name="clawstack-server-ca", issued=value[1])


def _client_authority(value: tuple[bytes, dt.date]) -> pki.KeyPair:
    return pki.authority(value[0], name="clawstack-client-ca", issued=value[1])


def _named(pairs: list[pki.KeyPair]) -> dict[str, pki.KeyPair]:
    server, client = pairs
    return {"server-ca": server, "client-ca": client}


def _administrator(values: list[object]) -> pki.KeyPair:
    seed, authority = values
    if not isinstance(seed, tuple) or not isinstance(authority, pki.KeyPair):  # pragma: no cover
        raise TypeError
    return pki.administrator(seed[0], signed_by=authority, issued=seed[1])
