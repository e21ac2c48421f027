"""The platform stack, top to bottom: configuration, components, outputs."""

from __future__ import annotations

import datetime as dt

import pulumi

from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.cost import estimate_cost
from clawstack.cluster.model import Shape, forecast, poll_interval
from clawstack.components.cluster import HetznerCluster, HetznerClusterArgs
from clawstack.components.hetzner import HetznerAccess, hetzner_provider
from clawstack.components.secrets import PlatformSecrets, PlatformSecretsArgs
from clawstack.errors import ClawstackError
from clawstack.platform_config import HetznerCredentials, PlatformConfig, read_config


def deploy() -> None:
    """Declare everything that `pulumi up` at the root of the project makes."""
    try:
        config = read_config(pulumi.Config("clawstack"))
    except ClawstackError as error:
        raise pulumi.RunError(error.sentence()) from error  # what Pulumi prints without a traceback
    secrets = PlatformSecrets("platform", PlatformSecretsArgs(rotation=config.secret_rotation))
    if config.cluster is not None and config.hetzner is not None:
        export_cluster(config.cluster, config.hetzner)
    pulumi.export("publicUrl", config.public_url)
    pulumi.export("webhookUrls", webhook_urls(config))
    pulumi.export("environment", pulumi.Output.secret(environment(config, secrets)))


def export_cluster(config: ClusterConfig, hetzner: HetznerCredentials) -> None:
    """The cluster and what an operator asks of it."""
    shape = shape_of(config)
    provider = hetzner_provider(
        f"{config.name}-hetzner",
        HetznerAccess(
            token=hetzner.token, endpoint=hetzner.endpoint, poll_interval_seconds=poll_interval(shape.nodes())
        ),
    )
    cluster = HetznerCluster(
        HetznerClusterArgs(config=config, today=dt.datetime.now(dt.UTC).date()),
        pulumi.ResourceOptions(providers=[provider]),
    )
    expected = forecast(shape)
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pulumi.export("addresses", cluster.addresses)
    pulumi.export("monthlyCost", estimate_cost(config).document())
    pulumi.export(
        "firstUpdate",
        {"requests": expected.requests, "minutesToReady": round(expected.ready_minutes, 1), "nodes": expected.nodes},
    )


def shape_of(config: ClusterConfig) -> Shape:
    """The cluster in the words of the cost and time model."""
    return Shape(
        control_planes=config.control_plane.count,
        workers=sum(pool.count for pool in config.pools.values()),
        pools=len(config.pools),
        balancer=config.api_load_balancer is not None,
    )


def webhook_urls(config: PlatformConfig) -> dict[str, str]:
    """Addresses to enter at Stripe and Telegram."""
    return {
        "stripe": f"{config.public_url}/webhooks/stripe",
        "telegram": f"{config.public_url}/webhooks/telegram/<bot>",
    }


def environment(config: PlatformConfig, secrets: PlatformSecrets) -> pulumi.Output[dict[str, str]]:
    """Settings for `clawstack serve`, as `pulumi stack output environment --show-secrets --json` prints them."""
    return pulumi.Output.all(secrets.master_key, secrets.telegram_webhook_secret).apply(
        lambda values: {
            "CLAWSTACK_PROFILE": config.profile.value,
            "CLAWSTACK_PUBLIC_URL": config.public_url,
            "CLAWSTACK_DEFAULT_SUBSTRATE": config.default_substrate,
            "CLAWSTACK_MASTER_KEY": values[0],
            "CLAWSTACK_TELEGRAM_WEBHOOK_SECRET": values[1],
        }
    )
