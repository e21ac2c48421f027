"""The platform stack, top to bottom: configuration, components, outputs."""

from __future__ import annotations

import datetime as dt

import pulumi
import pulumi_kubernetes as kubernetes

from clawstack.addons import AddonsSettings
from clawstack.addons.component import Addons, AddonSecrets
from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.cost import estimate_cost
from clawstack.cluster.model import Shape, forecast, poll_interval
from clawstack.cluster.readiness import Ask, ask_readyz, wait_for_api
from clawstack.cluster.reading import addons_of
from clawstack.components.cluster import HetznerCluster, HetznerClusterArgs
from clawstack.components.hetzner import HetznerAccess, hetzner_provider
from clawstack.components.secrets import PlatformSecrets, PlatformSecretsArgs
from clawstack.errors import ClawstackError, TemporaryError
from clawstack.platform.config import AddonCredentials, HetznerCredentials, PlatformConfig, read_config


def deploy() -> None:
    """Declare everything that `pulumi up` at the root of the project makes."""
    try:
        config = read_config(pulumi.Config("clawstack"))
    except ClawstackError as error:
        raise pulumi.RunError(error.sentence()) from error  # what Pulumi prints without a traceback
    secrets = PlatformSecrets("platform", PlatformSecretsArgs(rotation=config.secret_rotation))
    settings: pulumi.Output[dict[str, str]] = pulumi.Output.secret(environment(config, secrets))
    if config.cluster is not None and config.hetzner is not None and config.addons is not None:
        cluster = declare_cluster(config.cluster, config.hetzner)
        wanted = addons_of(config.cluster)
        if wanted is not None:
            given = _addon_secrets(config.addons, config.hetzner, cluster, settings)
            install_addons(wanted, cluster, given, ask=ask_readyz)
    pulumi.export("publicUrl", config.public_url)
    pulumi.export("webhookUrls", webhook_urls(config))
    pulumi.export("environment", settings)


def declare_cluster(config: ClusterConfig, hetzner: HetznerCredentials) -> HetznerCluster:
    """The cluster, and as outputs what an operator asks of it."""
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
    return cluster


def install_addons(settings: AddonsSettings, cluster: HetznerCluster, secrets: AddonSecrets, *, ask: Ask) -> Addons:
    """Install what runs in the cluster, once its API answers (`ask`); at most a quarter of an hour is waited."""

    async def ready(kubeconfig: str) -> str:
        try:
            return kubeconfig if pulumi.runtime.is_dry_run() else await wait_for_api(kubeconfig, ask=ask)
        except TemporaryError as error:
            raise pulumi.RunError(error.sentence()) from error

    answering: pulumi.Output[str] = cluster.kubeconfig.apply(ready)
    provider = kubernetes.Provider(
        f"{settings.cluster}-kubernetes",
        kubeconfig=answering,  # secret, because what it comes from is
        enable_server_side_apply=True,
        # What a killed update made and could not write down is taken over instead of refused.
        upsert_existing_objects=True,
        # A replaced first control plane changes the kubeconfig's address; it is the same cluster.
        cluster_identifier=settings.cluster,
        # Objects go with the servers: a destroy must not wait for an API that is being taken down.
        delete_unreachable=True,
        opts=pulumi.ResourceOptions(parent=cluster),
    )
    addons = Addons(
        settings.cluster,
        settings,
        provider=provider,
        secrets=secrets,
        opts=pulumi.ResourceOptions(depends_on=[cluster]),
    )
    pulumi.export("grafanaPassword", addons.grafana_password)
    return addons


def _addon_secrets(
    own: AddonCredentials,
    hetzner: HetznerCredentials,
    cluster: HetznerCluster,
    settings: pulumi.Output[dict[str, str]],
) -> AddonSecrets:
    return AddonSecrets(
        hcloud_token=hetzner.token,
        agent_token=cluster.agent_token,
        snapshot_access_key=own.snapshot_access_key,
        snapshot_secret_key=own.snapshot_secret_key,
        environment=settings,
        database_url=own.database_url,
        pulumi_backend_url=own.pulumi_backend_url,
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
