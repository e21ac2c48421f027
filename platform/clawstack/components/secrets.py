"""Secrets that the platform itself needs before its first start, made once and kept in Pulumi's encrypted state.

Left out on purpose: keys that others issue (Stripe, Telegram, model vendors, Hetzner). They are given by the operator
and never pass through this stack.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_random as random

_MASTER_KEY_BYTES = 32
_WEBHOOK_SECRET_LENGTH = 64  # Telegram takes 1 to 256 characters of A-Z a-z 0-9 _ - (Bot API, setWebhook)


@dataclass(frozen=True, kw_only=True)
class PlatformSecretsArgs:
    """What the secrets depend on."""

    rotation: int = 1
    """Raise it to make new webhook secrets. The master key stays: a new one could not open what the old one wrapped."""


class PlatformSecrets(pulumi.ComponentResource):
    """Master key and webhook secret of one platform."""

    master_key: pulumi.Output[str]
    """32 random bytes in base64: CLAWSTACK_MASTER_KEY."""
    telegram_webhook_secret: pulumi.Output[str]

    def __init__(self, name: str, args: PlatformSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:platform:Secrets", name, None, opts)
        master = random.RandomBytes(
            f"{name}-master-key",
            length=_MASTER_KEY_BYTES,
            # Losing it loses every tenant's secrets and backups.
            opts=pulumi.ResourceOptions(parent=self, protect=pulumi.get_stack() == "prod"),
        )
        webhook = random.RandomPassword(
            f"{name}-telegram-webhook",
            length=_WEBHOOK_SECRET_LENGTH,
            special=False,
            keepers={"rotation": str(args.rotation)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.master_key = pulumi.Output.secret(master.base64)
        self.telegram_webhook_secret = pulumi.Output.secret(webhook.result)
        self.register_outputs({"masterKey": self.master_key, "telegramWebhookSecret": self.telegram_webhook_secret})
