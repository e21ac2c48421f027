"""Typed configuration of the platform stack, checked before the first resource."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pydantic import SecretStr

from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.reading import parse_cluster
from clawstack.errors import InvalidInputError
from clawstack.plan_file import substrates_of_plans
from clawstack.secret_urls import database_url, remote_state_url
from clawstack.settings import DEFAULT_SUBSTRATE, Profile

_TOKEN_VARIABLE: Final = "CLAWSTACK_HCLOUD_TOKEN"  # noqa: S105 - the name of a variable
_ENDPOINT_VARIABLE: Final = "CLAWSTACK_HCLOUD_ENDPOINT"


@dataclass(frozen=True, kw_only=True)
class HetznerCredentials:
    """How the platform stack reaches Hetzner."""

    token: pulumi.Output[str]
    """Secret."""
    endpoint: str | None
    """Another root of the API, for a stand-in."""


@dataclass(frozen=True, kw_only=True)
class AddonCredentials:
    """Secrets of add-ons that others issue; None where they are not set."""

    database_url: pulumi.Output[str] | None
    pulumi_backend_url: pulumi.Output[str] | None
    snapshot_access_key: pulumi.Output[str] | None
    snapshot_secret_key: pulumi.Output[str] | None


@dataclass(frozen=True, kw_only=True)
class PlatformConfig:
    """What an operator sets in `Pulumi.<stack>.yaml`."""

    profile: Profile
    public_url: str
    default_substrate: str
    secret_rotation: int
    cluster: ClusterConfig | None = None
    """None: this stack has no cluster."""
    hetzner: HetznerCredentials | None = None
    """Present when there is a cluster."""
    addons: AddonCredentials | None = None
    """Present when there is a cluster."""


def read_config(config: pulumi.Config, environ: Mapping[str, str] | None = None) -> PlatformConfig:
    """The stack's configuration; raises InvalidInputError with value, allowed set and remedy."""
    environ = os.environ if environ is None else environ
    profile = _one_of(config, "profile", tuple(item.value for item in Profile), "development")
    substrate = _one_of(config, "defaultSubstrate", substrates_of_plans(), DEFAULT_SUBSTRATE)
    url = config.get("publicUrl") or "http://127.0.0.1:8080"
    if not url.startswith(("http://", "https://")):
        raise _refused("publicUrl", url, "an address that starts with https:// (or http:// on this machine)")
    if profile == Profile.PRODUCTION.value and not url.startswith("https://"):
        raise _refused("publicUrl", url, "an https:// address, since Stripe and Telegram call it in production")
    rotation = config.get_int("secretRotation")
    if rotation is not None and rotation < 1:
        raise _refused("secretRotation", str(rotation), "a whole number from 1 up")
    cluster = _cluster(config)
    return PlatformConfig(
        profile=Profile(profile),
        public_url=url.rstrip("/"),
        default_substrate=substrate,
        secret_rotation=rotation or 1,
        cluster=cluster,
        hetzner=_hetzner(config, environ) if cluster else None,
        addons=_addons(config) if cluster else None,
    )


def _cluster(config: pulumi.Config) -> ClusterConfig | None:
    said = config.get("cluster")
    if said is None:
        return None
    try:
        raw: Any = json.loads(said)
    except json.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict):
        raise _refused("cluster", said[:60], "an object (see Pulumi.prod.yaml)")
    cluster = parse_cluster(raw)  # also when it is switched off: a mistake shows early
    return cluster if cluster.enabled else None


def _hetzner(config: pulumi.Config, environ: Mapping[str, str]) -> HetznerCredentials:
    token = config.get_secret("hcloudToken")
    if token is None and environ.get(_TOKEN_VARIABLE):
        token = pulumi.Output.secret(environ[_TOKEN_VARIABLE])
    if token is None:
        raise InvalidInputError(
            f"The cluster needs a token of a Hetzner project; clawstack:hcloudToken and {_TOKEN_VARIABLE} are not set.",
            code="bad_stack_config",
            remedy="pulumi config set --secret clawstack:hcloudToken",
        )
    endpoint = config.get("hcloudEndpoint") or environ.get(_ENDPOINT_VARIABLE)
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise _refused("hcloudEndpoint", endpoint, "an address that starts with https:// or http://")
    return HetznerCredentials(token=token, endpoint=endpoint.rstrip("/") if endpoint else None)


def _addons(config: pulumi.Config) -> AddonCredentials:
    return AddonCredentials(
        database_url=_url(config, "databaseUrl", database_url),
        pulumi_backend_url=_url(config, "pulumiBackendUrl", remote_state_url),
        snapshot_access_key=config.get_secret("snapshotAccessKey"),
        snapshot_secret_key=config.get_secret("snapshotSecretKey"),
    )


def _url(config: pulumi.Config, key: str, check: Callable[[SecretStr], SecretStr]) -> pulumi.Output[str] | None:
    said = config.get(key)
    if said is None:
        return None
    try:
        return pulumi.Output.secret(check(SecretStr(said)).get_secret_value())
    except ValueError as error:
        raise InvalidInputError(
            f"clawstack:{key} {error}.", code="bad_stack_config", remedy=f"pulumi config set --secret clawstack:{key}"
        ) from None


def _one_of(config: pulumi.Config, key: str, allowed: tuple[str, ...], default: str) -> str:
    value = config.get(key) or default
    if value not in allowed:
        raise _refused(key, value, f"one of {', '.join(allowed)}")
    return value


def _refused(key: str, value: str, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        f"clawstack:{key} is {value!r}; it must be {wanted}.",
        code="bad_stack_config",
        remedy=f"pulumi config set clawstack:{key} <value>",
    )
