"""The platform stack, top to bottom: configuration, components, outputs."""

from __future__ import annotations

import pulumi

from clawstack.components.secrets import PlatformSecrets, PlatformSecretsArgs
from clawstack.errors import ClawstackError
from clawstack.platform_config import PlatformConfig, read_config


def deploy() -> None:
    """Declare everything that `pulumi up` at the root of the project makes."""
    try:
        config = read_config(pulumi.Config("clawstack"))
    except ClawstackError as error:
        raise pulumi.RunError(error.sentence()) from error  # what Pulumi prints without a traceback
    secrets = PlatformSecrets("platform", PlatformSecretsArgs(rotation=config.secret_rotation))
    pulumi.export("publicUrl", config.public_url)
    pulumi.export("webhookUrls", webhook_urls(config))
    pulumi.export("environment", pulumi.Output.secret(environment(config, secrets)))


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
